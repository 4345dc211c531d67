"""Write the report on one judged recording: a page that can be printed and filed."""
