"""Where PyTorch cannot be had: an adapter of `portico train` against what PEFT documents of its checkpoints
(<https://huggingface.co/docs/peft/developer_guides/checkpoint>): names, shapes and settings, and that each product B x A, scaled, is the change that
the GGUF adapter beside it makes. It needs numpy alone, and does not show that PEFT computes with it: judge.py does.

    python layout.py MODEL.gguf FOLDER    # FOLDER of `portico train`
"""

import json
import struct
import sys
from pathlib import Path

import numpy

import gguf_file

MODULES = {
    "attn_q": "self_attn.q_proj", "attn_k": "self_attn.k_proj", "attn_v": "self_attn.v_proj", "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj", "ffn_up": "mlp.up_proj", "ffn_down": "mlp.down_proj",
}
PLAIN = {"bias": "none", "fan_in_fan_out": False, "use_dora": False, "use_rslora": False, "peft_type": "LORA", "task_type": "CAUSAL_LM"}
FAR = 1e-6


def safetensors(path: Path) -> dict[str, numpy.ndarray]:
    """<https://huggingface.co/docs/safetensors/index#format>: a length, a JSON head, the numbers."""
    data = path.read_bytes()
    (length,) = struct.unpack_from("<Q", data)
    head = json.loads(data[8 : 8 + length])
    head.pop("__metadata__", None)
    found = {}
    for name, one in head.items():
        begin, end = (8 + length + at for at in one["data_offsets"])
        assert one["dtype"] == "F32", (name, one["dtype"])
        found[name] = numpy.frombuffer(data[begin:end], "<f4").reshape(one["shape"])
    return found


def main() -> int:
    model, folder = (Path(word) for word in sys.argv[1:3])
    rows: list[tuple[bool, str]] = []
    head, base = gguf_file.read(model)
    config = json.loads((folder / "adapter_config.json").read_text(encoding="utf-8"))
    tensors = safetensors(folder / "adapter_model.safetensors")
    beside_head, beside = gguf_file.read(folder / "adapter.gguf")
    rank, scale = config["r"], config["lora_alpha"] / config["r"]

    wrong = {key: config.get(key) for key, value in PLAIN.items() if config.get(key, value) != value}
    rows.append((not wrong and config["peft_type"] == "LORA", f"the settings are those of a plain LoRA {wrong or ''}"))
    targets = sorted(config["target_modules"])
    known = {module.split(".")[1]: (ours, module) for ours, module in MODULES.items()}
    rows.append((bool(targets) and set(targets) <= set(known), f"target_modules names modules of a Llama: {', '.join(targets)}"))

    layers = range(head["llama.block_count"])
    name = lambda layer, module, which: f"base_model.model.model.layers.{layer}.{module}.lora_{which}.weight"  # noqa: E731
    expected = {}
    for layer in layers:
        for target in targets:
            ours, module = known[target]
            out, into = base[f"blk.{layer}.{ours}.weight"].shape
            expected[name(layer, module, "A")], expected[name(layer, module, "B")] = (rank, into), (out, rank)
    odd = sorted(set(expected) ^ set(tensors))
    rows.append((not odd, f"{len(tensors)} matrices have the names that PEFT looks for {odd[:3] or ''}"))
    shapes = [one for one, shape in expected.items() if one in tensors and tensors[one].shape != shape]
    rows.append((not shapes, f"their shapes are those of the model's matrices, with {rank} between {shapes[:3] or ''}"))

    far, moved = 0.0, 0.0
    heads = head["llama.attention.head_count"]
    half = head["llama.embedding_length"] // heads // 2
    for layer in layers if not odd and not shapes else ():
        for target in targets:
            ours, module = known[target]
            theirs = scale * tensors[name(layer, module, "B")] @ tensors[name(layer, module, "A")]
            a, b = (beside[f"blk.{layer}.{ours}.weight.lora_{which}"] for which in "ab")
            change = beside_head["adapter.lora.alpha"] / a.shape[0] * b @ a
            if ours in ("attn_q", "attn_k"):
                # llama.cpp's converter puts the two numbers of a pair side by side; back to halves.
                change = change.reshape(-1, half, 2, change.shape[1]).swapaxes(1, 2).reshape(change.shape)
            far, moved = max(far, float(abs(theirs - change).max())), max(moved, float(abs(change).max()))
    rows.append((moved > 0 and far <= FAR * max(1.0, moved), f"products differ by up to {far:.1e} from what the GGUF adapter adds, which is up to {moved:.2f}"))

    for holds, what in rows:
        print(f"{'shown' if holds else 'FAILED':<8}{what}")
    print(f"{sum(holds for holds, _ in rows)} of {len(rows)} hold; PEFT itself was not asked")
    return 0 if all(holds for holds, _ in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
