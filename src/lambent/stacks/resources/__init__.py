"""Types of resources as data, and the driver that makes them through AWS's APIs."""
