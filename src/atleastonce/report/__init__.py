"""What people and programs get to see of a campaign: from findings to text, and the report folder."""
