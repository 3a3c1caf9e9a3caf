#!/usr/bin/env python3
"""What Cuescope writes, read by the programs that people will open it with: not a line of ours is asked about it.

    read_back.py logits CLI MODEL     Transformers opens the folder, Cuescope opens it: the same logits on the same rows
    read_back.py answers CLI MODEL    the same greedy ids, over some hundred tokens
    read_back.py tokens CLI MODEL     the tokenizers of Transformers and Cuescope give the same ids
    read_back.py events RUN           the tensorboard package reads RUN/tensorboard: every number of metrics.jsonl

CLI is cuescope-cli. The cue recovery module is ours alone: Transformers leaves its weights aside and says so, hence a folder with
one is compared without it. Prints one line of figures; ends with 0 (equal), 1 (not) or 77 (this Python has not the packages).
"""
import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile

SKIPPED = 77
TOLERANCE = 2e-4  # float32, other kernels and another order of sums; the logits are some tens
CUE = "model.language_model.sink_"  # its projections and both of its norms


def need(*names):
    for name in names:
        try:
            __import__(name)
        except ImportError as error:
            print(f"{sys.executable} cannot import {name} ({error}). Name a Python that can in CUESCOPE_PEER_PYTHON.")
            sys.exit(SKIPPED)


def ours(cli, *words, text=None):
    done = subprocess.run([cli, *words], input=text, capture_output=True, text=True, env=dict(os.environ, OMP_NUM_THREADS="1"))
    if done.returncode:
        sys.exit(f"cuescope-cli {' '.join(words)} ended with {done.returncode}: {done.stderr.strip()}")
    return done.stdout


def without_cue(model, folder):
    """The folder as it is, or a copy without the cue recovery module; and how many of its weights were left out."""
    from safetensors.torch import load_file, save_file
    left = 0
    copy = os.path.join(folder, "plain")
    shutil.copytree(model, copy, ignore=shutil.ignore_patterns("trainer"))
    for file in glob.glob(os.path.join(copy, "*.safetensors")):
        weights = load_file(file)
        kept = {name: tensor for name, tensor in weights.items() if not name.startswith(CUE)}
        if len(kept) == len(weights):
            continue
        left += len(weights) - len(kept)
        save_file(kept, file, {"format": "pt"})
    with open(os.path.join(copy, "config.json")) as file:
        config = json.load(file)
    if left == 0 and "cue_recovery" not in config:
        return model, 0
    config.pop("cue_recovery", None)
    config["architectures"] = ["Qwen3VLForConditionalGeneration"]  # a student with the module has a name of its own
    with open(os.path.join(copy, "config.json"), "w") as file:
        json.dump(config, file)
    return copy, left


def theirs(model):
    """The model as Transformers opens it. Weights that are missing, or unknown and not ours, end the comparison."""
    import torch
    from transformers import AutoModelForImageTextToText
    from transformers.utils import logging
    torch.set_num_threads(1)
    logging.disable_progress_bar()
    logging.set_verbosity_error()  # what it would say of the weights is read below
    opened, said = AutoModelForImageTextToText.from_pretrained(model, dtype=torch.float32, attn_implementation="eager", output_loading_info=True)
    unknown = [name for name in said["unexpected_keys"] if not name.startswith(CUE)]
    missing = [name for name in said["missing_keys"] if name != "lm_head.weight"]  # tied to the embedding
    if unknown or missing or said["mismatched_keys"]:
        sys.exit(f"Transformers does not know {unknown}, misses {missing}, finds other shapes at {list(said['mismatched_keys'])}")
    return opened.eval()


def rows(model):
    """Rows as a processor makes them, of random words and pixels: an image in front, an image in the middle, two images."""
    import torch
    with open(os.path.join(model, "config.json")) as file:
        config = json.load(file)
    words = min(config["text_config"]["vocab_size"], config["vision_start_token_id"], config["image_token_id"])
    g = torch.Generator().manual_seed(5)
    merge = config["vision_config"]["spatial_merge_size"] ** 2

    def text(n):
        return torch.randint(0, words - 8, (n,), generator=g).tolist()

    def image(grid):
        return [config["vision_start_token_id"]] + [config["image_token_id"]] * (grid[0] * grid[1] * grid[2] // merge) + [config["vision_end_token_id"]]

    made = []
    for grids, places in (([(1, 12, 12)], [0]), ([(1, 8, 20)], [9]), ([(1, 6, 10), (1, 10, 6)], [3, 14])):
        ids = text(24)
        for grid, place in reversed(list(zip(grids, places))):
            ids[place:place] = image(grid)
        patch = config["vision_config"]
        size = patch["in_channels"] * patch["temporal_patch_size"] * patch["patch_size"] ** 2
        made.append((ids, torch.tensor(grids), torch.rand(sum(t * h * w for t, h, w in grids), size, generator=g) * 2 - 1))
    return config, made


def batch_of(made):
    import torch
    width = max(len(ids) for ids, _, _ in made)
    return dict(input_ids=torch.tensor([ids + [0] * (width - len(ids)) for ids, _, _ in made]),
                attention_mask=torch.tensor([[1] * len(ids) + [0] * (width - len(ids)) for ids, _, _ in made]),
                pixel_values=torch.cat([pixels for _, _, pixels in made]), image_grid_thw=torch.cat([grids for _, grids, _ in made]))


def logits(cli, model):
    need("torch", "safetensors", "transformers")
    import torch
    from safetensors.torch import load_file, save_file
    with tempfile.TemporaryDirectory() as folder:
        plain, left = without_cue(model, folder)
        config, made = rows(plain)
        batch = batch_of(made)
        save_file(batch, os.path.join(folder, "in.safetensors"))
        ours(cli, "forward", "--model", plain, "--input", os.path.join(folder, "in.safetensors"), "--output", os.path.join(folder, "out.safetensors"))
        got = load_file(os.path.join(folder, "out.safetensors"))["logits"].float()
        if left:
            theirs(model)  # with our module in the folder it opens all the same
        with torch.no_grad():
            want = theirs(plain)(**batch, mm_token_type_ids=(batch["input_ids"] == config["image_token_id"]).long()).logits
    real = batch["attention_mask"].bool()
    difference = (got - want).abs()[real].max().item()
    first = (got.argmax(-1) == want.argmax(-1))[real].float().mean().item()
    print(f"{int(real.sum())} positions x {want.shape[-1]} logits, of up to {want[real].abs().max().item():.3g}: largest difference {difference:.2g}, "
          f"the same first token at {100 * first:.4g} %; {left} weights of the cue recovery module left out")
    return difference <= TOLERANCE


def answers(cli, model):
    need("torch", "safetensors", "transformers")
    import torch
    from safetensors.torch import save_file
    with tempfile.TemporaryDirectory() as folder:
        plain, _ = without_cue(model, folder)
        config, made = rows(plain)
        opened = theirs(plain)
        tokens, equal = 0, True
        for each in made:
            batch = batch_of([each])
            save_file(batch, os.path.join(folder, "in.safetensors"))
            said = json.loads(ours(cli, "generate", "--model", plain, "--input", os.path.join(folder, "in.safetensors"), "--max-new", "48", "--ignore-eos", "--greedy", "--json"))
            got = said["rows"][0]["ids"]
            with torch.no_grad():
                want = opened.generate(**batch, mm_token_type_ids=(batch["input_ids"] == config["image_token_id"]).long(), do_sample=False, max_new_tokens=48,
                                       min_new_tokens=48, eos_token_id=None, pad_token_id=0)[0, batch["input_ids"].shape[1]:].tolist()
            tokens += len(want)
            equal = equal and got == want and len(got) == 48
            if got != want:
                print(f"other ids: {got} against {want}")
    print(f"{tokens} greedy tokens in {len(made)} answers, {'all the same' if equal else 'NOT the same'}")
    return equal


def tokens(cli, model):
    need("transformers")
    from transformers import AutoTokenizer
    tokenizer = AutoTokenizer.from_pretrained(model)
    texts = ["What digit is on the red square?", "How many blue shapes are there? two\n\nNo: three.", "  two  spaces\tand a tab ", "<|im_start|>user\nred<|im_end|>\n", "\\boxed{four}", "naïve 東京 🙂 ﬁ", "a" * 50, "1234567890"]
    got = [json.loads(line) for line in ours(cli, "tokenize", "--model", model, "--jsonl", text="".join(json.dumps(text) + "\n" for text in texts)).splitlines()]
    want = [tokenizer.encode(text, add_special_tokens=False) for text in texts]
    for text, a, b in zip(texts, got, want):
        if a != b:
            print(f"other ids for {text!r}: {a} against {b}")
    print(f"{sum(map(len, want))} ids of {len(texts)} texts, {'all the same' if got == want else 'NOT the same'}")
    return got == want and len(got) == len(texts)


def events(run):
    need("numpy", "tensorboard")
    import numpy
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    reader = EventAccumulator(os.path.join(run, "tensorboard"), size_guidance={"scalars": 0})
    reader.Reload()
    read = {}
    for tag in reader.Tags()["scalars"]:
        for event in reader.Scalars(tag):
            read[tag, event.step] = event.value
    with open(os.path.join(run, "metrics.jsonl")) as file:
        steps = [json.loads(line) for line in file]
    written = {}
    for step in steps:
        for name, value in step.items():  # names without «/» say which step it is; null: not finite
            if "/" in name and value is not None:
                written[name, step["step"]] = value
    missing = sorted(set(written) - set(read))
    other = [key for key in written if key in read and numpy.float32(written[key]) != numpy.float32(read[key])]
    for key in (missing + other)[:10]:
        print(f"{key}: {written.get(key)} written, {read.get(key)} read")
    print(f"{len(written)} numbers of {len(steps)} steps, {len(read)} read: {len(missing)} missing, {len(other)} others")
    return bool(written) and not missing and not other


if __name__ == "__main__":
    checks = {"logits": logits, "answers": answers, "tokens": tokens, "events": events}
    if len(sys.argv) < 3 or sys.argv[1] not in checks:
        print(__doc__)
        sys.exit(2)
    sys.exit(0 if checks[sys.argv[1]](*sys.argv[2:]) else 1)
