"""The pages: what is known, drawn for people who decide. Now the report; it reads records and computes nothing."""
