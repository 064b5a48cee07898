"""Docker's nouns over the docker SDK. Nothing here knows IPython: it works from a plain script."""
