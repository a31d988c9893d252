# SPDX-License-Identifier: Apache-2.0
# Two validators that are not ours read the CycloneDX documents given: jsonschema by the official schemas in the
# directory SCHEMAS, and OWASP's Python library by its own copies of them. Prints one line a problem.
# Usage: validate-cyclonedx.py SCHEMAS FILE...
import json
import os
import sys

from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from jsonschema import Draft7Validator, FormatChecker
from referencing import Registry
from referencing.jsonschema import DRAFT7

schemas, files = sys.argv[1], sys.argv[2:]
loaded = {name: json.load(open(os.path.join(schemas, name))) for name in os.listdir(schemas)}
# References within the schemas are relative to their $id.
registry = Registry().with_resources(
    (base + name, DRAFT7.create_resource(contents))
    for name, contents in loaded.items()
    for base in ("http://cyclonedx.org/schema/", "")
)
problems = 0
for file in files:
    text = open(file).read()
    document = json.loads(text)
    version = document["specVersion"]
    schema = loaded[f"bom-{version}.SNAPSHOT.schema.json"]
    found = [
        f"jsonschema: {'/'.join(map(str, error.absolute_path))}: {error.message[:200]}"
        for error in Draft7Validator(schema, registry=registry, format_checker=FormatChecker()).iter_errors(document)
    ]
    known = {v.to_version(): v for v in SchemaVersion}
    if version in known:
        error = JsonStrictValidator(known[version]).validate_str(text)
        found += [f"cyclonedx: {str(error.data)[:200]}"] if error else []
    print(f"{os.path.basename(file)} {version}: {'jsonschema and cyclonedx' if version in known else 'jsonschema'}")
    for line in found:
        print(f"  {line}")
    problems += len(found)
print(f"{problems} problems")
sys.exit(1 if problems else 0)
