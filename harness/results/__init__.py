"""What a store holds, as frames and tables: reports, scored videos, comparisons, forecasts."""
