"""AWS Cloud Control API: resources of stacks' types without a stack."""
