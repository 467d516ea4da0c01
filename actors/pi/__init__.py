"""The agent: one pi process, its protocol, and the model that stands in for a provider in the demo."""
