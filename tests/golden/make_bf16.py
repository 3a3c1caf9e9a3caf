#!/usr/bin/env python3
"""How far bfloat16 compute moves the gradients of train_step, in PyTorch: the yardstick of the engine's own bfloat16.

Writes bf16.json beside this file. Needs torch 2.11, transformers 5, safetensors; the tests do not. The same student, batch, teacher scores
and losses as in train_step (see make_train_more.py), float32 weights throughout, once in float32 and once under torch.autocast(bfloat16),
where PyTorch runs linears and attention in bfloat16 and keeps norms, softmax, the residual stream and losses in float32. The student runs with
PyTorch's fused attention, which is what a user of Transformers gets. Written down for each loss: both losses, the largest and mean difference of the
log-probabilities of the response tokens, the cosine of all gradients together, and for each parameter its cosine and its share of the
squared norm.
"""
import json
import os

import torch
from safetensors.torch import load_file
from transformers import Qwen3VLForConditionalGeneration

from make_train_more import HERE, Student, policy_loss, response_log_probs, sampled, top_k_loss


def gradients(loss_of, batch, teacher, narrow, attention):
    student = Student(os.path.join(HERE, "tiny-student-vicur"))
    student.train(False)
    student.model.set_attn_implementation(attention)
    mask = batch["response_mask"].float()
    with torch.autocast("cpu", torch.bfloat16, enabled=narrow):
        log_probs = student.log_probs(batch).float()
    own = sampled(log_probs, batch["responses"])
    loss = (loss_of(log_probs, batch, teacher, own.detach()) * mask).sum() / mask.sum()
    loss.backward()
    found, named = {}, {}
    for name, parameter in student.named_parameters():
        named.setdefault(id(parameter), (name, parameter))
    for name, parameter in named.values():
        if parameter.grad is not None:
            if name.startswith("cue."):
                name = "model.language_model.sink_cross_attns." + name[len("cue."):]
            elif name in ("q_norm.weight", "kv_norm.weight"):
                name = "model.language_model.sink_" + name
            else:
                name = name.removeprefix("model.")  # Student holds the model under that name
            found[name] = parameter.grad.double()
    return loss.item(), own.detach()[batch["response_mask"] > 0], found


def cosine(a, b):
    return (a * b).sum().item() / max(a.norm().item() * b.norm().item(), 1e-300)


def main():
    torch.manual_seed(0)
    torch.set_num_threads(1)
    batch = load_file(os.path.join(HERE, "train_step.safetensors"))
    model = Qwen3VLForConditionalGeneration.from_pretrained(os.path.join(HERE, "tiny-teacher"), attn_implementation="eager", dtype=torch.float32)
    model.train(False)
    with torch.no_grad():
        log_probs = response_log_probs(model, batch, "teacher")
    values, ids = log_probs.topk(16)
    teacher = {"sampled": sampled(log_probs, batch["responses"]), "values": values, "ids": ids}
    out = {"fixture": "bf16", "title": "bfloat16 compute over float32 weights in PyTorch (torch.autocast), against float32; by make_bf16.py",
           "made_with": {"torch": torch.__version__, "transformers": __import__("transformers").__version__}, "losses": {}}
    for name, loss_of in (("k1_pg", policy_loss), ("forward_kl_topk", top_k_loss)):
        wide, narrow = (gradients(loss_of, batch, teacher, on, "sdpa") for on in (False, True))
        names = sorted(wide[2])
        total = sum(wide[2][n].square().sum().item() for n in names)
        flat = lambda side: torch.cat([side[2][n].flatten() for n in names])
        gap = (wide[1] - narrow[1]).abs()
        out["losses"][name] = {
            "loss_float32": wide[0], "loss_bfloat16": narrow[0], "log_prob_mean_difference": gap.mean().item(),
            "log_prob_largest_difference": gap.max().item(), "cosine": cosine(flat(wide), flat(narrow)),
            "parameters": {n: {"cosine": cosine(wide[2][n], narrow[2][n]), "share": wide[2][n].square().sum().item() / total}
                           for n in names if wide[2][n].abs().max() > 0}}
        print(name, {k: v for k, v in out["losses"][name].items() if k != "parameters"})
    with open(os.path.join(HERE, "bf16.json"), "w") as file:
        json.dump(out, file, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main()
