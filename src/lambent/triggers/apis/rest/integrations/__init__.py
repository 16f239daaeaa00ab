"""What a request to a REST API ends in: functions, mocks, servers, services."""
