"""All targets, by name."""

from tests.fuzz.targets import documents, images, layers, names, streams, tars, texts

TARGETS = {
    target.name: target
    for module in (names, tars, layers, documents, streams, texts, images)
    for target in module.TARGETS
}
