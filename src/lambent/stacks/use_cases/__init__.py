"""What the operations of CloudFormation do: one transaction each, after what must be read first."""
