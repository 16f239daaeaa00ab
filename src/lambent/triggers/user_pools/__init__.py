"""What Cognito's user pools do outside: they call functions, send mail, and publish their keys."""
