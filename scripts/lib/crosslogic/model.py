"""A small random Llama with its own tokenizer, made on the spot: nothing comes from a hub.

Written byte by byte with the standard library, so that the simulated engine's S3 store holds a real model too, without
torch. The same bytes every time.
"""

from __future__ import annotations

import errno
import hashlib
import inspect
import json
import random
import shutil
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from crosslogic.paths import cache_root

MODEL = "acme/tiny-llama"
SHARD_BYTES = 6_000_000

HIDDEN, INTERMEDIATE, LAYERS, HEADS, POSITIONS = 256, 1024, 8, 4, 1024

SPECIAL_TOKENS = ["<pad>", "<s>", "</s>"]
WORDS = """ a the of and in on at by with from over under before after slow quick old new small great quiet bright
 river mountain garden village winter summer morning evening letter window music story machine engine light water
 bird fox dog cat tree stone road house ship cloud runs sings reads writes sleeps waits turns falls grows shines
 tells finds keeps opens follows never always again slowly today""".split()  # noqa: SIM905 - a text reads better than a list

CHAT_TEMPLATE = (
    "{% for m in messages %}<s>{{ m['role'] }}: {{ m['content'] }}</s>{% endfor %}"
    "{% if add_generation_prompt %}<s>assistant: {% endif %}"
)


@dataclass(frozen=True)
class Tensor:
    name: str
    rows: int
    columns: int | None  # None: a vector

    @property
    def shape(self) -> list[int]:
        return [self.rows] if self.columns is None else [self.rows, self.columns]

    @property
    def size(self) -> int:
        """Bytes in bfloat16."""
        return 2 * self.rows * (self.columns or 1)


def ensure_model() -> Path:
    """The model's folder in the cache."""
    source = inspect.getsource(sys.modules[__name__])
    folder = cache_root() / f"tiny-llama-{hashlib.sha256(source.encode()).hexdigest()[:8]}"
    if not folder.exists():
        unfinished = folder.with_suffix(f".{random.randrange(1 << 32):08x}")
        unfinished.mkdir(parents=True)
        try:
            write_model(unfinished)
            unfinished.rename(folder)
        except OSError as error:
            # Somebody beside us made the same model in the meantime; it is made of the same bytes.
            if error.errno not in {errno.ENOTEMPTY, errno.EEXIST}:
                raise
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
    return folder


def write_model(folder: Path) -> None:
    vocabulary, merges = byte_pair_vocabulary()
    tensors = list(llama_tensors(len(vocabulary)))
    generator = random.Random(0)
    whole_words = {vocabulary["Ġ" + word] for word in WORDS}
    shards = split_into_shards(tensors)
    weight_map = {}
    for number, shard in enumerate(shards, 1):
        name = f"model-{number:05}-of-{len(shards):05}.safetensors"
        weight_map.update({tensor.name: name for tensor in shard})
        contents = [tensor_bytes(tensor, generator, whole_words) for tensor in shard]
        (folder / name).write_bytes(safetensors(shard, contents))
    files = {
        "model.safetensors.index.json": {
            "metadata": {"total_size": sum(tensor.size for tensor in tensors)},
            "weight_map": weight_map,
        },
        "config.json": config(len(vocabulary)),
        "generation_config.json": {"bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0},
        "tokenizer.json": tokenizer(vocabulary, merges),
        "tokenizer_config.json": tokenizer_config(),
    }
    for name, content in files.items():
        (folder / name).write_text(json.dumps(content, indent=1, ensure_ascii=False))


def llama_tensors(vocabulary_size: int) -> Iterator[Tensor]:
    yield Tensor("model.embed_tokens.weight", vocabulary_size, HIDDEN)
    for layer in range(LAYERS):
        prefix = f"model.layers.{layer}."
        yield Tensor(prefix + "input_layernorm.weight", HIDDEN, None)
        for projection in "qkvo":
            yield Tensor(f"{prefix}self_attn.{projection}_proj.weight", HIDDEN, HIDDEN)
        yield Tensor(prefix + "post_attention_layernorm.weight", HIDDEN, None)
        yield Tensor(prefix + "mlp.gate_proj.weight", INTERMEDIATE, HIDDEN)
        yield Tensor(prefix + "mlp.up_proj.weight", INTERMEDIATE, HIDDEN)
        yield Tensor(prefix + "mlp.down_proj.weight", HIDDEN, INTERMEDIATE)
    yield Tensor("model.norm.weight", HIDDEN, None)
    yield Tensor("lm_head.weight", vocabulary_size, HIDDEN)


def tensor_bytes(tensor: Tensor, generator: random.Random, whole_words: set[int]) -> bytes:
    """bfloat16, little-endian: norms are ones, the rest random of the usual size (about ±0.02)."""
    if tensor.columns is None:
        return b"\x80\x3f" * tensor.rows
    is_head = tensor.name == "lm_head.weight"
    content = bytearray(tensor.size)
    content[0::2] = generator.randbytes(tensor.size // 2)
    content[1::2] = generator.randbytes(tensor.size // 2).translate(LOUD if is_head else QUIET)
    if is_head:
        # Fragments of words get the logit zero, so that what the model says is at least made of words.
        for row in set(range(tensor.rows)) - whole_words:
            content[row * 2 * HIDDEN : (row + 1) * 2 * HIDDEN] = bytes(2 * HIDDEN)
    return bytes(content)


# Maps a random byte to the high byte of a bfloat16 of either sign: 2^-7 to 2^-5, and 2^-3 to 2^-1.
QUIET = bytes(0x3C if byte < 128 else 0xBC for byte in range(256))
LOUD = bytes(0x3E if byte < 128 else 0xBE for byte in range(256))


def split_into_shards(tensors: list[Tensor]) -> list[list[Tensor]]:
    shards: list[list[Tensor]] = [[]]
    for tensor in tensors:
        if shards[-1] and sum(t.size for t in shards[-1]) + tensor.size > SHARD_BYTES:
            shards.append([])
        shards[-1].append(tensor)
    return shards


def safetensors(tensors: list[Tensor], contents: list[bytes]) -> bytes:
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    offset = 0
    for tensor in tensors:
        header[tensor.name] = {
            "dtype": "BF16",
            "shape": tensor.shape,
            "data_offsets": [offset, offset + tensor.size],
        }
        offset += tensor.size
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + b"".join(contents)


def config(vocabulary_size: int) -> dict[str, object]:
    """Both the older and the newer names of a setting, so that vLLM 0.8 to 0.32 read it."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": vocabulary_size,
        "hidden_size": HIDDEN,
        "intermediate_size": INTERMEDIATE,
        "num_hidden_layers": LAYERS,
        "num_attention_heads": HEADS,
        "num_key_value_heads": HEADS,
        "head_dim": HIDDEN // HEADS,
        "max_position_embeddings": POSITIONS,
        "hidden_act": "silu",
        "rms_norm_eps": 1e-06,
        "initializer_range": 0.02,
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": False,
        "rope_theta": 10000.0,
        "rope_parameters": {"rope_theta": 10000.0, "rope_type": "default"},
        "torch_dtype": "bfloat16",
        "dtype": "bfloat16",
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 0,
        "use_cache": True,
    }


def byte_alphabet() -> list[str]:
    """GPT-2's printable stand-ins for the 256 bytes; a blank is Ġ."""
    printable = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    others = [byte for byte in range(256) if byte not in printable]
    names = {byte: chr(byte) for byte in printable}
    names.update({byte: chr(256 + index) for index, byte in enumerate(others)})
    return [names[byte] for byte in range(256)]


def byte_pair_vocabulary() -> tuple[dict[str, int], list[list[str]]]:
    """Bytes, then each word built up letter by letter from its blank."""
    tokens = dict.fromkeys([*SPECIAL_TOKENS, *byte_alphabet()])
    merges: dict[tuple[str, str], None] = {}
    for word in WORDS:
        spelled = "Ġ" + word
        for end in range(1, len(spelled)):
            merges[(spelled[:end], spelled[end])] = None
            tokens[spelled[: end + 1]] = None
    return {token: index for index, token in enumerate(tokens)}, [list(pair) for pair in merges]


def tokenizer(vocabulary: dict[str, int], merges: list[list[str]]) -> dict[str, object]:
    byte_level = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
    flags = {"single_word": False, "lstrip": False, "rstrip": False, "normalized": False, "special": True}
    return {
        "version": "1.0",
        "truncation": None,
        "padding": None,
        "added_tokens": [{"id": vocabulary[token], "content": token, **flags} for token in SPECIAL_TOKENS],
        "normalizer": None,
        "pre_tokenizer": byte_level,
        "post_processor": None,
        "decoder": byte_level,
        "model": {
            "type": "BPE",
            "dropout": None,
            "unk_token": None,
            "continuing_subword_prefix": None,
            "end_of_word_suffix": None,
            "fuse_unk": False,
            "byte_fallback": False,
            "ignore_merges": False,
            "vocab": vocabulary,
            "merges": merges,
        },
    }


def tokenizer_config() -> dict[str, object]:
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "model_max_length": POSITIONS,
        "pad_token": "<pad>",
        "bos_token": "<s>",
        "eos_token": "</s>",
        "clean_up_tokenization_spaces": False,
        "chat_template": CHAT_TEMPLATE,
    }
