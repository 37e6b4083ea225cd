"""`python -m benchmarks.inside module.function '{"argument": 1}'`: the answer as one line of JSON."""

import importlib
import json
import sys

import django

if __name__ == "__main__":
    module, name = sys.argv[1].split(".")
    django.setup()
    function = getattr(importlib.import_module(f"benchmarks.inside.{module}"), name)
    sys.stdout.write(json.dumps(function(**json.loads(sys.argv[2]))) + "\n")
