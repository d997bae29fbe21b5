"""Universal checks: rules that hold for everything captured, in every scenario, without a line in the test."""
