"""What runs inside a Django process of the measured project: seeding and in-process timing."""
