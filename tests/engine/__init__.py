"""What tests of SQL share: tables on the real engine, and the insight macros rendered without dbt."""
