#!/usr/bin/env python3
"""Ten training steps after the three recorded in train_step, computed by PyTorch and Transformers alone.

Writes train_more.safetensors and train_more.json beside this file. Needs torch 2.11, transformers 5.23, safetensors; the tests
do not. The model is Transformers' Qwen3-VL; cue recovery, losses and clipping are written here from their definitions
(cross-attention of the first valid token over the visual tokens after every fifth decoder layer and its DeepStack addition;
k1 as a clipped policy gradient; forward KL over the teacher's top 16 with floor and clamp; token mean; AdamW with decay on
everything). The first three steps must agree with train_step, else nothing is written.

Training amplifies rounding: each run is made again from weights that differ by a float32 rounding (3e-7 relative), and four
times the difference of the two is the tolerance, at least 1e-5. Runs with small steps stay within 1e-4; those with 1e-3 do not.
"""
import json
import os
import sys

import torch
from safetensors.torch import load_file, save_file
from torch import nn
from transformers import AutoConfig, Qwen3VLForConditionalGeneration

HERE = os.path.dirname(os.path.abspath(__file__))
STEPS = 13
INTERVAL = 5


class RmsNorm(nn.Module):
    def __init__(self, size, eps):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(size))
        self.eps = eps

    def forward(self, x):
        return x * torch.rsqrt(x.pow(2).mean(-1, keepdim=True) + self.eps) * self.weight


class CueRecovery(nn.Module):
    """One layer's projections."""

    def __init__(self, size, heads):
        super().__init__()
        self.heads = heads
        for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
            setattr(self, name, nn.Linear(size, size, bias=False))

    def forward(self, sink, visual):
        split = lambda x: x.view(x.shape[0], self.heads, -1).transpose(0, 1)
        q, k, v = split(self.q_proj(sink)), split(self.k_proj(visual)), split(self.v_proj(visual))
        weights = (q @ k.transpose(1, 2) * q.shape[-1] ** -0.5).softmax(-1)
        return self.o_proj((weights @ v).transpose(0, 1).reshape(1, -1))


class Student(nn.Module):
    def __init__(self, folder):
        super().__init__()
        config = AutoConfig.from_pretrained(folder)
        config.architectures = ["Qwen3VLForConditionalGeneration"]
        self.model = Qwen3VLForConditionalGeneration.from_pretrained(folder, config=config, attn_implementation="eager", dtype=torch.float32)
        text = config.text_config
        self.layers = [i for i in range(text.num_hidden_layers) if i % INTERVAL == 0]
        self.cue = nn.ModuleDict({str(i): CueRecovery(text.hidden_size, text.num_attention_heads) for i in self.layers})
        self.q_norm, self.kv_norm = RmsNorm(text.hidden_size, text.rms_norm_eps), RmsNorm(text.hidden_size, text.rms_norm_eps)
        weights = load_file(os.path.join(folder, "model.safetensors"))
        with torch.no_grad():
            for i in self.layers:
                for name in ("q_proj", "k_proj", "v_proj", "o_proj"):
                    getattr(self.cue[str(i)], name).weight.copy_(weights[f"model.language_model.sink_cross_attns.{i}.{name}.weight"])
            self.q_norm.weight.copy_(weights["model.language_model.sink_q_norm.weight"])
            self.kv_norm.weight.copy_(weights["model.language_model.sink_kv_norm.weight"])
        self.ids = self.mask = None
        body = self.model.model.language_model
        for i in self.layers:  # what enters the next layer has passed the layer and the DeepStack addition
            after = body.layers[i + 1] if i + 1 < text.num_hidden_layers else body.norm
            after.register_forward_pre_hook(self.injection(i), with_kwargs=True)

    def injection(self, layer):
        def hook(module, args, kwargs):
            states = args[0] if args else kwargs["hidden_states"]
            rows = []
            for b in range(states.shape[0]):
                sink = int(self.mask[b].argmax())
                visual = states[b][self.ids[b] == self.model.config.image_token_id]
                update = self.cue[str(layer)](self.q_norm(states[b, sink : sink + 1]), self.kv_norm(visual))
                row = torch.zeros_like(states[b])
                row[sink] = 1
                rows.append(states[b] + row * update)
            states = torch.stack(rows)
            return ((states,) + args[1:], kwargs) if args else (args, {**kwargs, "hidden_states": states})

        return hook

    def log_probs(self, batch, prefix="student"):
        self.ids, self.mask = batch[prefix + ".input_ids"], batch[prefix + ".attention_mask"]
        return response_log_probs(self.model, batch, prefix)


def response_log_probs(model, batch, prefix):
    """Log-softmax at the positions that predict the response tokens, [B, R, V]."""
    logits = model(input_ids=batch[prefix + ".input_ids"], attention_mask=batch[prefix + ".attention_mask"],
                   position_ids=batch[prefix + ".position_ids"], pixel_values=batch["pixel_values"], image_grid_thw=batch["image_grid_thw"],
                   use_cache=False).logits
    count = batch["responses"].shape[1]
    return logits[:, -count - 1 : -1].log_softmax(-1)


def sampled(log_probs, ids):
    return log_probs.gather(-1, ids.unsqueeze(-1)).squeeze(-1)


def policy_loss(log_probs, batch, teacher, old):
    own = sampled(log_probs, batch["responses"])
    advantage = -(own - teacher["sampled"]).clamp(-10, 10).detach()
    ratio = (own - old).clamp(-20, 20).exp()
    upper = torch.maximum(-advantage * ratio, -advantage * ratio.clamp(0.8, 1.2))
    return torch.where(advantage < 0, torch.minimum(upper, -3 * advantage), upper)


def top_k_loss(log_probs, batch, teacher, old):
    p, q = teacher["values"].clamp_min(-10), log_probs.gather(-1, teacher["ids"]).clamp_min(-10)
    return (p.exp() * (p - q)).sum(-1).clamp_min(0).clamp(-10, 10)


def run(loss_of, lr, batch, teacher, noise=0.0):
    student = Student(os.path.join(HERE, "tiny-student-vicur"))
    student.train(False)
    with torch.no_grad():
        for p in student.parameters():
            p.mul_(1 + noise * torch.randn_like(p))
    parameters = list({id(p): p for p in student.parameters()}.values())
    optimizer = torch.optim.AdamW(parameters, lr=lr, betas=(0.9, 0.999), eps=1e-8, weight_decay=0.01)
    mask = batch["response_mask"].float()
    with torch.no_grad():
        old = sampled(student.log_probs(batch), batch["responses"])
    losses, norms = [], []
    for step in range(STEPS + 1):
        loss = (loss_of(student.log_probs(batch), batch, teacher, old) * mask).sum() / mask.sum()
        losses.append(loss.item())
        if step == STEPS:
            break
        optimizer.zero_grad()
        for p in parameters:  # parameters that a step does not reach decay all the same
            p.grad = torch.zeros_like(p)
        loss.backward()
        norms.append(nn.utils.clip_grad_norm_(parameters, 1.0).item())
        optimizer.step()
    return torch.tensor(losses), torch.tensor(norms)


def main():
    torch.manual_seed(0)
    torch.set_num_threads(1)
    batch = load_file(os.path.join(HERE, "train_step.safetensors"))
    folder = os.path.join(HERE, "tiny-teacher")
    model = Qwen3VLForConditionalGeneration.from_pretrained(folder, attn_implementation="eager", dtype=torch.float32)
    model.train(False)
    with torch.no_grad():
        log_probs = response_log_probs(model, batch, "teacher")
    values, ids = log_probs.topk(16)
    teacher = {"sampled": sampled(log_probs, batch["responses"]), "values": values, "ids": ids}
    tensors, manifest = {}, {}
    for name, loss_of, lr, recorded in (("k1_pg", policy_loss, 1e-3, 4), ("k1_pg_small_lr", policy_loss, 2e-5, 4),
                                        ("forward_kl_topk", top_k_loss, 1e-3, 4), ("forward_kl_topk_small_lr", top_k_loss, 1e-4, 1)):
        results, others = run(loss_of, lr, batch, teacher), run(loss_of, lr, batch, teacher, 3e-7)
        known = name if recorded == 4 else name.removesuffix("_small_lr")  # the same first step
        for kind, count, got, other in (("losses", recorded, results[0], others[0]), ("grad_norms", min(recorded, 3), results[1], others[1])):
            want, drift = batch[f"{known}.{kind}"][:count], (got - other).abs().max().item()
            print(name, kind, "from train_step", (got[:count] - want).abs().max().item(), "from rounding", drift)
            if not torch.allclose(got[:count], want, atol=1e-3, rtol=5e-3):
                sys.exit("the first steps are not those of train_step")
            tensors[f"{name}.{kind}"] = got
            manifest[f"{name}.{kind}"] = {"what": "scalar loss before each of 13 updates and after the last" if kind == "losses"
                                          else "total gradient norm before clipping", "lr": lr, "shape": list(got.shape),
                                          "dtype": "float32", "tolerance": {"atol": max(1e-5, 4 * drift), "rtol": 1e-4}}
    save_file(tensors, os.path.join(HERE, "train_more.safetensors"))
    with open(os.path.join(HERE, "train_more.json"), "w") as out:
        json.dump({"fixture": "train_more", "title": "Ten steps after those of train_step, by make_train_more.py", "tensors": manifest}, out, indent=1)
        out.write("\n")


if __name__ == "__main__":
    main()
