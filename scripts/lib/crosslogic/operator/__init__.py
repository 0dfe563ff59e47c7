"""The operator's side of the store: set it up, upload models, list them, warm the CDN, measure how fast they load.

Every command parses its arguments with the standard library alone, so `--help` costs nothing; boto3, huggingface_hub,
safetensors and rich come from a virtual environment that `environment` makes on first use.
"""
