"""Declare a Docker archive as each program writes it: files for `outer_tar`, made of layers (bytes of tars)."""

import json

from tests.support.layers import COMPRESS, d, digest, f, sym, tar


def hexdigest(data):
    """The encoded part of the digest."""
    return digest(data).partition(":")[2]


def config(*layers, **fields):
    """The bytes of a config."""
    value = {
        "architecture": "amd64",
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": list(map(digest, layers))},
    }
    return json.dumps(value | fields).encode()


def listing(*items):
    """The entry `manifest.json` of (config name, tags, layer names) for each image."""
    rows = [{"Config": config, "RepoTags": tags, "Layers": layers} for config, tags, layers in items]
    return f("manifest.json", json.dumps(rows))


def classic(*layers, tags=("app:1",), **fields):
    """Docker 1.10 to 24 (DSV-04): a directory for each layer, and a link to the first of equal ones."""
    raw = config(*layers, **fields)
    entries, names, known = [], [], {}
    for number, layer in enumerate(layers):
        here = f"{number:064x}"
        entries += [d(f"{here}/"), f(f"{here}/VERSION", "1.0"), f(f"{here}/json", "{}")]
        if layer in known:
            entries.append(sym(f"{here}/layer.tar", f"../{known[layer]}"))
        else:
            known[layer] = f"{here}/layer.tar"
            entries.append(f(f"{here}/layer.tar", layer))
        names.append(f"{here}/layer.tar")
    name = hexdigest(raw) + ".json"
    return [*entries, f(name, raw), listing((name, tags and list(tags), names)), f("repositories", "{}")]


def skopeo(*layers, tags=("docker.io/library/app:1",)):
    """What skopeo writes (DSV-04): layers at the top, and links to them where Docker has files."""
    raw = config(*layers)
    name = hexdigest(raw) + ".json"
    names = [hexdigest(layer) + ".tar" for layer in layers]
    entries = [f(at, layer) for at, layer in dict(zip(names, layers, strict=True)).items()]
    for number, at in enumerate(names):
        entries += [d(f"{number:064x}/"), sym(f"{number:064x}/layer.tar", f"../{at}")]
    return [*entries, f(name, raw), listing((name, list(tags), names))]


def crane(*layers, tags=("app:1",)):
    """What crane writes (DSV-06): compressed layers at the top, a config named by its digest, nothing else."""
    raw = config(*layers)
    blobs = [COMPRESS["gzip"](layer) for layer in layers]
    names = [hexdigest(blob) + ".tar.gz" for blob in blobs]
    entries = [f(at, blob) for at, blob in dict(zip(names, blobs, strict=True)).items()]
    return [f(digest(raw), raw), *entries, listing((digest(raw), list(tags), names))]


def modern(*images):
    """What Docker 25 writes (DSV-05): a layout and a Docker archive in one; each image is (name, tag, layers)."""
    blobs, rows, descriptors = {}, [], []

    def put(data, media_type):
        blobs[f"blobs/sha256/{hexdigest(data)}"] = data
        return {"mediaType": media_type, "digest": digest(data), "size": len(data)}

    oci = "application/vnd.oci.image."
    for name, tag, layers in images:
        raw = config(*layers)
        manifest = {
            "schemaVersion": 2,
            "mediaType": oci + "manifest.v1+json",
            "config": put(raw, oci + "config.v1+json"),
            "layers": [put(layer, oci + "layer.v1.tar") for layer in layers],
        }
        descriptor = put(json.dumps(manifest).encode(), oci + "manifest.v1+json")
        annotations = {
            "io.containerd.image.name": f"docker.io/library/{name}:{tag}",
            "org.opencontainers.image.ref.name": tag,
        }
        descriptors.append(descriptor | {"annotations": annotations})
        at = [f"blobs/sha256/{hexdigest(layer)}" for layer in layers]
        rows.append((f"blobs/sha256/{hexdigest(raw)}", [f"{name}:{tag}"], at))
    index = {"schemaVersion": 2, "mediaType": oci + "index.v1+json", "manifests": descriptors}
    entries = [d("blobs/"), d("blobs/sha256/"), *(f(name, data) for name, data in sorted(blobs.items()))]
    marker = f("oci-layout", '{"imageLayoutVersion":"1.0.0"}')
    return [*entries, f("index.json", json.dumps(index)), listing(*rows), marker, f("repositories", "{}")]


def archive(file, entries):
    """Write an archive of entries and return its path as text."""
    file.write_bytes(tar(*entries))
    return str(file)
