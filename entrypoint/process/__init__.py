"""The process of the train's command: started, watched and ended. No key in here."""
