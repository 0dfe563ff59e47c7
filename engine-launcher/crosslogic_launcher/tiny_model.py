"""The smallest Llama that vLLM loads like any other, written byte by byte: nothing comes from a hub."""

from __future__ import annotations

import json
from pathlib import Path

HIDDEN, INTERMEDIATE, VOCABULARY, POSITIONS = 64, 128, 64, 64
"""One head of 64: the smallest that every attention backend has."""


def write(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / "model.safetensors").write_bytes(safetensors(tensors()))
    files = {"config.json": config(), "tokenizer.json": tokenizer(), "tokenizer_config.json": TOKENIZER_CONFIG}
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content))


def tensors() -> dict[str, list[int]]:
    layer = "model.layers.0."
    square = {f"{layer}self_attn.{name}_proj.weight": [HIDDEN, HIDDEN] for name in "qkvo"}
    norms = [f"{layer}input_layernorm.weight", f"{layer}post_attention_layernorm.weight", "model.norm.weight"]
    return {
        "model.embed_tokens.weight": [VOCABULARY, HIDDEN],
        **square,
        f"{layer}mlp.gate_proj.weight": [INTERMEDIATE, HIDDEN],
        f"{layer}mlp.up_proj.weight": [INTERMEDIATE, HIDDEN],
        f"{layer}mlp.down_proj.weight": [HIDDEN, INTERMEDIATE],
        **{name: [HIDDEN] for name in norms},
        "lm_head.weight": [VOCABULARY, HIDDEN],
    }


def safetensors(shapes: dict[str, list[int]]) -> bytes:
    """All zeros, in bfloat16: whatever it is asked, every token is as likely."""
    header: dict[str, object] = {}
    offset = 0
    for name, shape in shapes.items():
        end = offset + 2 * shape[0] * (shape[1] if len(shape) > 1 else 1)
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [offset, end]}
        offset = end
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + bytes(offset)


def config() -> dict[str, object]:
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": VOCABULARY,
        "hidden_size": HIDDEN,
        "intermediate_size": INTERMEDIATE,
        "num_hidden_layers": 1,
        "num_attention_heads": 1,
        "num_key_value_heads": 1,
        "head_dim": HIDDEN,
        "max_position_embeddings": POSITIONS,
        "hidden_act": "silu",
        "rms_norm_eps": 1e-06,
        "tie_word_embeddings": False,
        # The older and the newer name: vLLM 0.8 to 0.32 read it.
        "torch_dtype": "bfloat16",
        "dtype": "bfloat16",
    }


def tokenizer() -> dict[str, object]:
    vocabulary = {"<unk>": 0} | {f"w{number}": number for number in range(1, VOCABULARY)}
    parts = dict.fromkeys(["truncation", "padding", "normalizer", "post_processor", "decoder"])
    model = {"type": "WordLevel", "vocab": vocabulary, "unk_token": "<unk>"}
    return {"version": "1.0", "added_tokens": [], "pre_tokenizer": {"type": "Whitespace"}, "model": model, **parts}


TOKENIZER_CONFIG = {
    "tokenizer_class": "PreTrainedTokenizerFast",
    "model_max_length": POSITIONS,
    "unk_token": "<unk>",
    "eos_token": "<unk>",
}
