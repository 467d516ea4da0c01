"""Where each case of OTP's supervisor suite and of Elixir's dynamic supervisor stands here.

Data only; `test_table` holds it against the tests. `differs` says in one clause what we
do otherwise on purpose; the tests then show our behaviour. A case without tests is left out, and `left_out` says why.
"""

from functools import partial
from typing import Final, NamedTuple


class Case(NamedTuple):
    """One case: its tests here (`file::function`), in which clause ours differ, or why there is none."""

    tests: tuple[str, ...] = ()
    differs: str = ""
    left_out: str = ""


def _tests(file: str, *names: str) -> tuple[str, ...]:
    return tuple(f"{file}::{name}" for name in names)


_start = partial(_tests, "test_start")
_stop = partial(_tests, "test_stop")
_admin = partial(_tests, "test_admin")
_types = partial(_tests, "test_restart_types")
_strategies = partial(_tests, "test_strategies")
_significant = partial(_tests, "test_significant")
_trees = partial(_tests, "test_trees")
_dynamic = partial(_tests, "test_dynamic")

_TYPES = _types("test_30_to_39_restart_types")
_WHO = _strategies("test_41_43_52_who_is_restarted_and_how_often")
_CANNOT = _strategies("test_42_44_53_a_child_that_cannot_start_again")
_MEMORY = _strategies("test_50_75_what_a_temporary_child_was_started_with_goes_with_it")
_LOOP = _trees("test_80_81_82_a_restart_loop_answers", "test_80_a_restart_by_hand_in_the_loop")
_REPORT = _trees("test_89_90_reports_are_bounded_and_a_reason_is_one_line")
_RACE = _stop("test_21_22_children_that_end_by_themselves_while_all_stop")

_DATA: Final = "a supervisor is plain data without a start function of its own"
_NO_INFO: Final = "a start hands nothing back: an actor is reached by its ref alone"
_FIXED: Final = "a running supervisor's flags and specs do not change: a new version is a new start"
_KILLED: Final = "a child that is killed also ends as `shutdown`; the message in hand becomes a dead letter"
_BACKOFF: Final = "the restarts of one child are spaced by its backoff, the first at once"

OTP: Final[dict[str, Case]] = {
    "1 sup_start_normal": Case(_start("test_01_an_empty_supervisor_starts_and_stops")),
    "2 sup_start_ignore_init": Case(left_out=_DATA),
    "3 sup_start_ignore_child": Case(
        _start("test_03_a_child_that_ignores_its_start_is_kept_and_down"),
        differs="children are listed in the order of their start, not the newest first",
    ),
    "4 sup_start_ignore_temporary_child": Case(_start("test_04_a_temporary_child_that_ignores_its_start_is_not_kept")),
    "5 sup_start_ignore_temporary_child_start_child": Case(
        _start("test_05_06_07_a_child_added_later_that_ignores_its_start"),
    ),
    "6 sup_start_ignore_temporary_child_start_child_simple": Case(
        _start("test_05_06_07_a_child_added_later_that_ignores_its_start"),
    ),
    "7 sup_start_ignore_permanent_child_start_child_simple": Case(
        _start("test_05_06_07_a_child_added_later_that_ignores_its_start"),
    ),
    "8 sup_start_error_return": Case(_start("test_08_a_tree_that_makes_no_sense_starts_nothing")),
    "9 sup_start_fail": Case(_start("test_09_a_tree_whose_making_raises_starts_nothing")),
    "10 sup_start_restart_child_returns_error": Case(_start("test_10_a_restart_by_hand_that_fails_keeps_the_spec")),
    "11 sup_start_child_returns_error": Case(_start("test_11_12_a_child_added_later_that_cannot_start_is_not_kept")),
    "12 sup_start_child_returns_error_simple": Case(
        _start("test_11_12_a_child_added_later_that_cannot_start_is_not_kept")
    ),
    "13 sup_start_map": Case(_start("test_13_defaults_and_the_spec_of_a_child")),
    "14 sup_start_map_simple": Case(
        _start("test_14_the_spec_of_a_dynamic_child"),
        differs="each dynamic child has a spec and an id of its own",
    ),
    "15 sup_start_map_faulty_specs": Case(
        _start("test_15_a_spec_that_makes_no_sense"),
        differs="an unknown option is refused, not tolerated",
    ),
    "16 sup_stop_infinity": Case(_stop("test_16_an_infinite_grace_for_workers_and_for_supervisors")),
    "17 sup_stop_timeout": Case(_stop("test_17_a_grace_in_seconds"), differs=_KILLED),
    "18 sup_stop_timeout_dynamic": Case(_stop("test_18_a_grace_in_seconds_for_dynamic_children"), differs=_KILLED),
    "19 sup_stop_brutal_kill": Case(_stop("test_19_a_brutal_stop_asks_nothing"), differs=_KILLED),
    "20 sup_stop_brutal_kill_dynamic": Case(_stop("test_20_a_brutal_stop_of_dynamic_children"), differs=_KILLED),
    "21 sup_stop_race": Case(_RACE),
    "22 sup_stop_non_shutdown_exit_dynamic": Case(
        (*_RACE, *_stop("test_22_dynamic_children_that_fail_when_they_are_stopped")),
    ),
    "23 child_adm": Case(
        _admin("test_23_the_life_of_a_child_under_admin_calls", "test_23_calls_to_what_is_no_supervisor"),
        differs="restart_child stops a running child first, and children are named by path alone",
    ),
    "24 child_adm_simple": Case(
        _admin("test_24_the_life_of_a_dynamic_child_under_admin_calls"),
        differs="dynamic children have ids too, and one that is gone is no such actor",
    ),
    "25 extra_return": Case(left_out=_NO_INFO),
    "26 child_specs": Case(
        _admin("test_26_specs_are_checked_when_they_are_made", "test_26_two_of_one_id"),
        differs="a spec is checked when it is made, so nothing is left for a supervisor to check",
    ),
    "27 child_specs_map": Case(_admin("test_27_significant_children_need_a_supervisor_that_heeds_them")),
    "28 sup_flags": Case(
        _admin("test_28_supervisors_are_checked_when_they_are_made"),
        differs="an unknown flag is refused, and so is a backoff that outlasts the intensity's period",
    ),
    "29 external_start_no_progress_log": Case(
        _types("test_29_each_start_is_told_once_to_those_who_listen"),
        differs="the runtime writes no log: whoever listens filters",
    ),
    "30 permanent_normal": Case(_TYPES),
    "31 transient_normal": Case(_TYPES),
    "32 temporary_normal": Case(_TYPES),
    "33 permanent_shutdown": Case(_TYPES, differs="only a supervisor can end by itself as `shutdown`"),
    "34 transient_shutdown": Case(_TYPES, differs="only a supervisor can end by itself as `shutdown`"),
    "35 temporary_shutdown": Case(_TYPES, differs="only a supervisor can end by itself as `shutdown`"),
    "36 faulty_application_shutdown": Case(_types("test_36_a_first_start_that_fails_says_where_all_the_way_up")),
    "37 permanent_abnormal": Case(_TYPES),
    "38 transient_abnormal": Case(_TYPES),
    "39 temporary_abnormal": Case(_TYPES),
    "40 multiple_restarts": Case(
        _strategies(
            "test_40_restarts_far_enough_apart_are_never_too_many",
            "test_40_restarts_within_the_period_are_too_many",
        )
    ),
    "41 one_for_one": Case(_WHO),
    "42 one_for_one_escalation": Case(_CANNOT, differs=_BACKOFF),
    "43 one_for_all": Case(_WHO),
    "44 one_for_all_escalation": Case(_CANNOT, differs=_BACKOFF),
    "45 one_for_all_other_child_fails_restart": Case(
        _strategies("test_45_one_for_all_a_sibling_whose_restart_fails_takes_the_set_down_again"),
    ),
    "46 simple_one_for_one": Case(_strategies("test_46_dynamic_children_are_restarted_one_by_one")),
    "47 simple_one_for_one_shutdown": Case(
        _strategies("test_47_dynamic_children_stop_together_each_with_all_of_its_grace"),
    ),
    "48 simple_one_for_one_extra": Case(left_out=_NO_INFO),
    "49 simple_one_for_one_escalation": Case(
        _strategies("test_49_a_dynamic_child_that_cannot_start_again"),
        differs=_BACKOFF,
    ),
    "50 simple_one_for_one_corruption": Case(_MEMORY),
    "51 simple_one_for_one_restart_ignore": Case(
        _strategies(
            "test_51_a_dynamic_child_that_ignores_its_restart_is_dropped",
            "test_51_a_static_child_that_ignores_its_restart_is_kept_down",
        ),
    ),
    "52 rest_for_one": Case(_WHO),
    "53 rest_for_one_escalation": Case(_CANNOT, differs=_BACKOFF),
    "54 rest_for_one_other_child_fails_restart": Case(
        _strategies("test_54_rest_for_one_a_sibling_whose_restart_fails_is_retried_without_the_earlier_ones"),
    ),
    "55 nonsignificant_temporary": Case(_significant("test_55_56_a_child_without_significance_ends_nobody")),
    "56 nonsignificant_transient": Case(_significant("test_55_56_a_child_without_significance_ends_nobody")),
    "57 significant_temporary": Case(_significant("test_57_58_significant_children_and_their_supervisor")),
    "58 significant_transient": Case(_significant("test_57_58_significant_children_and_their_supervisor")),
    "59 significant_simple": Case(_significant("test_59_dynamic_children_cannot_be_significant")),
    "60 significant_bystander": Case(_significant("test_60_a_significant_bystander_ends_nobody")),
    "61 significant_escalation": Case(
        _significant("test_61_a_supervisor_that_ended_with_its_children_in_the_one_above"),
    ),
    "62 significant_upgrade_never_any": Case(left_out=_FIXED),
    "63 significant_upgrade_any_never": Case(left_out=_FIXED),
    "64 significant_upgrade_never_all": Case(left_out=_FIXED),
    "65 significant_upgrade_all_never": Case(left_out=_FIXED),
    "66 significant_upgrade_any_all": Case(left_out=_FIXED),
    "67 significant_upgrade_all_any": Case(left_out=_FIXED),
    "68 significant_upgrade_child": Case(left_out=_FIXED),
    "69 child_unlink": Case(
        _trees("test_69_a_child_that_does_not_listen_does_not_hold_up_its_termination"),
        differs="there are no links to cut; a child that does not heed its cancel is left behind as a zombie",
    ),
    "70 tree": Case(
        _trees(
            "test_70_crashes_are_local_and_an_escalation_restarts_what_is_written",
            "test_70_what_was_terminated_by_hand_stays_down",
        ),
        differs="what was terminated by hand stays down, also when all others are restarted",
    ),
    "71 count_children": Case(_trees("test_71_72_counts_of_many_children")),
    "72 count_children_supervisor": Case(_trees("test_71_72_counts_of_many_children")),
    "73 count_restarting_children": Case(_trees("test_73_restarting_children_are_counted_but_are_not_active")),
    "74 get_callback_module": Case(left_out=_DATA),
    "75 do_not_save_start_parameters_for_temporary_children": Case(_MEMORY),
    "76 do_not_save_child_specs_for_temporary_children": Case(
        _trees("test_76_specs_of_temporary_children_are_not_kept"),
    ),
    "77 simple_one_for_one_scale_many_temporary_children": Case(
        _trees("test_77_ten_thousand_temporary_children_come_and_go"),
        differs="the ratio is a row of the benchmark, not a test",
    ),
    "78 temporary_bystander": Case(_trees("test_78_a_temporary_bystander_goes_for_good_and_costs_nothing")),
    "79 simple_global_supervisor": Case(_trees("test_79_a_path_is_found_again_after_every_end")),
    "80 hanging_restart_loop": Case(_LOOP),
    "81 hanging_restart_loop_rest_for_one": Case(_LOOP),
    "82 hanging_restart_loop_simple": Case(_LOOP),
    "83 code_change": Case(left_out=_FIXED),
    "84 code_change_map": Case(left_out=_FIXED),
    "85 code_change_simple": Case(left_out=_FIXED),
    "86 code_change_simple_map": Case(left_out=_FIXED),
    "87 order_of_children": Case(_trees("test_87_starts_in_order_and_stops_in_reverse")),
    "88 scale_start_stop_many_children": Case(
        _trees("test_88_ten_thousand_children_of_a_static_supervisor"),
        differs="the ratio is a row of the benchmark, not a test",
    ),
    "89 format_log_1": Case(_REPORT, differs="a report is an event whose texts have fixed bounds"),
    "90 format_log_2": Case(_REPORT, differs="a report is an event whose texts have fixed bounds"),
    "91 already_started_outside_supervisor": Case(
        left_out="an actor is made by its supervisor alone, so none is ever running before",
    ),
    "92 which_children": Case(_trees("test_92_93_which_children_and_which_child")),
    "93 which_children_simple_one_for_one": Case(_trees("test_92_93_which_children_and_which_child")),
}
"""The cases of OTP's supervisor suite, by their number and their name there."""

_STARTS = _dynamic("test_whatever_a_start_raises_is_said_and_no_child_kept")
_ARGUMENTS = _dynamic("test_arguments_are_given_and_kept_over_a_restart")
_RESTARTS = _dynamic("test_restart_types")
_PLACE = _dynamic("test_a_child_that_is_being_restarted_keeps_its_place")
_STOPS = _dynamic("test_stops")
_MODULES: Final = "child specs are written in one way only, as `ChildSpec`"
_TASK: Final = "a supervisor is a task of its system and has no process to name or to tune"

ELIXIR: Final[dict[str, Case]] = {
    "start: can be supervised directly": Case(_dynamic("test_can_be_supervised_several_at_once")),
    "start: several with simple child spec": Case(_dynamic("test_can_be_supervised_several_at_once")),
    "start: use/2 child_spec": Case(left_out=_MODULES),
    "start: init default options": Case(
        _dynamic("test_default_options"),
        differs="max_children has no default: a bound is always said",
    ),
    "start: start_link with non-ok init": Case(left_out=_DATA),
    "start: start_link with registered name": Case(left_out=_TASK),
    "start: start_link with spawn_opt": Case(left_out=_TASK),
    "start: start_link with same initial_call": Case(left_out=_TASK),
    "start: code_change with ok init": Case(left_out=_FIXED),
    "start: code_change with non-ok init": Case(left_out=_FIXED),
    "start_child: old spec": Case(left_out=_MODULES),
    "start_child: tuple spec": Case(left_out=_MODULES),
    "start_child: map spec": Case(_dynamic("test_can_be_supervised_several_at_once")),
    "start_child: extra_arguments prepended": Case(_ARGUMENTS, differs="arguments are those of a `functools.partial`"),
    "start_child: invalid spec": Case(_start("test_15_a_spec_that_makes_no_sense")),
    "start_child: different returns": Case(
        _start(
            "test_05_06_07_a_child_added_later_that_ignores_its_start",
            "test_11_12_a_child_added_later_that_cannot_start_is_not_kept",
        ),
        differs="a start hands nothing back but the ref",
    ),
    "start_child: throw in start": Case(_STARTS),
    "start_child: error in start": Case(_STARTS),
    "start_child: exit in start": Case(_STARTS),
    "start_child: max_children": Case(
        _dynamic("test_no_more_than_max_children", "test_starts_that_fail_or_are_ignored_take_no_place"),
    ),
    "start_child: temporary is not restarted": Case(_RESTARTS),
    "start_child: transient is restarted unless normal or shutdown": Case(_RESTARTS),
    "start_child: permanent is always restarted": Case(_RESTARTS),
    "start_child: restart with different values": Case(
        _dynamic("test_restarts_that_end_in_other_ways"), differs=_BACKOFF
    ),
    "start_child: restarting children count in max_children on init": Case(_PLACE),
    "start_child: restarting children count in max_children on exit": Case(_PLACE),
    "start_child: extra_arguments kept on restart": Case(_ARGUMENTS),
    "start_child: trying again": Case(_dynamic("test_trying_again_until_it_starts"), differs=_BACKOFF),
    "start_child: max restarts": Case(_dynamic("test_too_many_restarts_end_it")),
    "start_child: max intensity counts failed retries": Case(_dynamic("test_too_many_restarts_end_it")),
    "start_child: valid shutdown values": Case(_dynamic("test_shutdown_values")),
    "start_child: invalid shutdown values": Case(_dynamic("test_shutdown_values")),
    "terminate: brutal kill": Case(_STOPS, differs=_KILLED),
    "terminate: infinity": Case(_STOPS),
    "terminate: infinity with abnormal reason": Case(_STOPS),
    "terminate: integer": Case(_STOPS),
    "terminate: integer with abnormal reason": Case(_STOPS),
    "terminate: expired integer": Case(_STOPS, differs=_KILLED),
    "terminate: permanent with normal reason": Case(
        _dynamic("test_a_permanent_child_that_leaves_while_all_stop_is_not_restarted")
    ),
    "terminate: mixed children": Case(_dynamic("test_a_stop_of_all_kinds_together")),
    "terminate_child: brutal kill": Case(_STOPS, differs=_KILLED),
    "terminate_child: integer": Case(_STOPS),
    "terminate_child: a child that is being restarted": Case(
        _dynamic("test_a_child_that_is_being_restarted_can_be_terminated")
    ),
    "PartitionSupervisor": Case(left_out="one event loop has nothing to spread over partitions"),
    "Task.Supervisor": Case(left_out="helper tasks belong to their actor, and a nursery serves for all others"),
    "Registry": Case(left_out="a path is the one name of an actor, and the tree keeps it"),
}
"""The cases of Elixir's dynamic supervisor, and its neighbours as far as somebody might look for them."""
