"""What a user can ask for, one function each. The command line and the client call these."""
