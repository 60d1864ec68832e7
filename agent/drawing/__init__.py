"""Pictures that agent code drew, checked before anyone sees them."""
