"""Whole programs, as people write them for PyTorch, train alike here and there.

Each is a function of the module `t` that it is written for, and yields its model first; it then
trains from weights that both sides share, and returns its losses.
"""

from __future__ import annotations

import math
from types import SimpleNamespace

import numpy as np
import pytest

import labtorch

pytestmark = pytest.mark.oracle

TEXT = "to see a world in a grain of sand and a heaven in a wild flower " * 4


# ---------------------------------------------------------------- a GPT on characters
def gpt(t):
    nn, F = t.nn, t.nn.functional
    config = SimpleNamespace(n_embd=16, n_head=2, n_layer=2, block_size=12, dropout=0.0, bias=True)
    letters = sorted(set(TEXT))
    index = {letter: i for i, letter in enumerate(letters)}
    data = t.tensor([index[letter] for letter in TEXT], dtype=t.long)

    class LayerNorm(nn.Module):
        def __init__(self, ndim, bias):
            super().__init__()
            self.weight = nn.Parameter(t.ones(ndim))
            self.bias = nn.Parameter(t.zeros(ndim)) if bias else None

        def forward(self, input):
            return F.layer_norm(input, self.weight.shape, self.weight, self.bias, 1e-5)

    class CausalSelfAttention(nn.Module):
        def __init__(self, flash):
            super().__init__()
            self.n_head, self.n_embd, self.flash = config.n_head, config.n_embd, flash
            self.c_attn = nn.Linear(config.n_embd, 3 * config.n_embd, bias=config.bias)
            self.c_proj = nn.Linear(config.n_embd, config.n_embd, bias=config.bias)
            self.attn_dropout = nn.Dropout(config.dropout)
            size = config.block_size
            self.register_buffer("bias", t.tril(t.ones(size, size)).view(1, 1, size, size))

        def forward(self, x):
            B, T, C = x.size()
            q, k, v = self.c_attn(x).split(self.n_embd, dim=2)
            q, k, v = (
                x.view(B, T, self.n_head, C // self.n_head).transpose(1, 2) for x in (q, k, v)
            )
            if self.flash:
                y = F.scaled_dot_product_attention(q, k, v, dropout_p=0.0, is_causal=True)
            else:
                att = (q @ k.transpose(-2, -1)) * (1.0 / math.sqrt(k.size(-1)))
                att = att.masked_fill(self.bias[:, :, :T, :T] == 0, float("-inf"))
                y = self.attn_dropout(F.softmax(att, dim=-1)) @ v
            return self.c_proj(y.transpose(1, 2).contiguous().view(B, T, C))

    class Block(nn.Module):
        def __init__(self, flash):
            super().__init__()
            self.ln_1 = LayerNorm(config.n_embd, config.bias)
            self.attn = CausalSelfAttention(flash)
            self.ln_2 = LayerNorm(config.n_embd, config.bias)
            self.mlp = nn.ModuleDict(
                {
                    "c_fc": nn.Linear(config.n_embd, 4 * config.n_embd),
                    "c_proj": nn.Linear(4 * config.n_embd, config.n_embd),
                    "act": nn.GELU(),
                }
            )

        def forward(self, x):
            x = x + self.attn(self.ln_1(x))
            m = self.mlp
            return x + m.c_proj(m.act(m.c_fc(self.ln_2(x))))

    class GPT(nn.Module):
        def __init__(self):
            super().__init__()
            self.transformer = nn.ModuleDict(
                {
                    "wte": nn.Embedding(len(letters), config.n_embd),
                    "wpe": nn.Embedding(config.block_size, config.n_embd),
                    "h": nn.ModuleList([Block(flash) for flash in (False, True)]),
                    "ln_f": LayerNorm(config.n_embd, bias=False),
                }
            )
            self.lm_head = nn.Linear(config.n_embd, len(letters), bias=False)
            self.transformer.wte.weight = self.lm_head.weight
            self.apply(self._init_weights)
            for name, p in self.named_parameters():
                if name.endswith("c_proj.weight"):
                    t.nn.init.normal_(p, mean=0.0, std=0.02 / math.sqrt(2 * config.n_layer))

        def _init_weights(self, module):
            if isinstance(module, nn.Linear):
                t.nn.init.normal_(module.weight, mean=0.0, std=0.02)
                if module.bias is not None:
                    t.nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Embedding):
                t.nn.init.normal_(module.weight, mean=0.0, std=0.02)

        def forward(self, idx, targets=None):
            device = idx.device
            b, length = idx.size()
            pos = t.arange(0, length, dtype=t.long, device=device)
            x = self.transformer.wte(idx) + self.transformer.wpe(pos)
            for block in self.transformer.h:
                x = block(x)
            logits = self.lm_head(self.transformer.ln_f(x))
            if targets is None:
                return logits[:, [-1], :], None
            loss = F.cross_entropy(
                logits.view(-1, logits.size(-1)), targets.view(-1), ignore_index=-1
            )
            return logits, loss

        @t.no_grad()
        def generate(self, idx, max_new_tokens, temperature=1.0, top_k=None):
            for _ in range(max_new_tokens):
                logits, _ = self(idx[:, -config.block_size :])
                logits = logits[:, -1, :] / temperature
                if top_k is not None:
                    v, _ = t.topk(logits, min(top_k, logits.size(-1)))
                    logits[logits < v[:, [-1]]] = -float("Inf")
                probs = F.softmax(logits, dim=-1)
                idx = t.cat((idx, t.multinomial(probs, num_samples=1)), dim=1)
            return idx

    model = GPT()
    yield model
    assert sum(p.numel() for p in model.parameters()) == 7024
    named = {name: p for name, p in model.named_parameters() if p.requires_grad}
    groups = [
        {"params": [p for p in named.values() if p.dim() >= 2], "weight_decay": 0.1},
        {"params": [p for p in named.values() if p.dim() < 2], "weight_decay": 0.0},
    ]
    optimizer = t.optim.AdamW(groups, lr=1e-2, betas=(0.9, 0.95))
    scheduler = t.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=8, eta_min=1e-3)
    draws, losses = np.random.default_rng(0), []
    for _ in range(8):
        at = draws.integers(0, len(data) - config.block_size, 4)
        x = t.stack([data[i : i + config.block_size] for i in at])
        y = t.stack([data[i + 1 : i + 1 + config.block_size] for i in at])
        _, loss = model(x, y)
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        norm = t.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        scheduler.step()
        losses += [loss.item(), norm.item(), scheduler.get_last_lr()[0]]
    model.eval()
    greedy = model.generate(data[None, :5], max_new_tokens=10, top_k=1)  # no chance in it
    sampled = model.generate(data[None, :5], max_new_tokens=10, temperature=0.8, top_k=5)
    assert sampled.shape == greedy.shape == (1, 15)
    assert "".join(letters[i] for i in sampled[0].tolist()).startswith("to se")
    yield losses, greedy.tolist()


# ---------------------------------------------------------------- a vision transformer
def vit(t):
    nn = t.nn

    class Attention(nn.Module):
        def __init__(self, dim, heads):
            super().__init__()
            self.heads, self.scale = heads, (dim // heads) ** -0.5
            self.norm = nn.LayerNorm(dim)
            self.to_qkv = nn.Linear(dim, 3 * dim, bias=False)
            self.to_out = nn.Sequential(nn.Linear(dim, dim), nn.Dropout(0.0))

        def forward(self, x):
            b, n, _ = x.shape
            qkv = self.to_qkv(self.norm(x)).chunk(3, dim=-1)
            q, k, v = (each.reshape(b, n, self.heads, -1).permute(0, 2, 1, 3) for each in qkv)
            attention = t.einsum("bhid,bhjd->bhij", q, k).mul(self.scale).softmax(dim=-1)
            out = t.einsum("bhij,bhjd->bhid", attention, v)
            return self.to_out(out.transpose(1, 2).flatten(2))

    class ViT(nn.Module):
        def __init__(self, image=8, patch=4, dim=16, depth=2, classes=3):
            super().__init__()
            self.patch = patch
            self.embed = nn.Sequential(
                nn.LayerNorm(patch * patch), nn.Linear(patch * patch, dim), nn.LayerNorm(dim)
            )
            self.cls_token = nn.Parameter(t.randn(1, 1, dim))
            self.pos_embedding = nn.Parameter(t.randn(1, (image // patch) ** 2 + 1, dim))
            self.layers = nn.ModuleList([])
            for _ in range(depth):
                network = nn.Sequential(
                    nn.LayerNorm(dim), nn.Linear(dim, 2 * dim), nn.GELU(), nn.Linear(2 * dim, dim)
                )
                self.layers.append(nn.ModuleList([Attention(dim, 2), network]))
            self.head = nn.Linear(dim, classes)

        def forward(self, image):
            p = self.patch
            b, c, h, w = image.shape
            patches = image.reshape(b, c, h // p, p, w // p, p).permute(0, 2, 4, 3, 5, 1)
            patches = patches.contiguous().view(b, -1, p * p * c)
            x = self.embed(patches)
            x = t.cat((self.cls_token.expand(x.shape[0], -1, -1), x), dim=1)
            x += self.pos_embedding[:, : x.shape[1]]
            for attend, network in self.layers:
                x = attend(x) + x
                x = network(x) + x
            return self.head(x[:, 0])

    model = ViT()
    yield model
    draws = np.random.default_rng(1)
    images = t.from_numpy(draws.standard_normal((12, 1, 8, 8)).astype("float32"))
    labels = t.from_numpy(draws.integers(0, 3, 12))
    dataset = t.utils.data.TensorDataset(images, labels)
    loader = t.utils.data.DataLoader(dataset, batch_size=4, shuffle=False)
    criterion = nn.CrossEntropyLoss(label_smoothing=0.1)
    optimizer = t.optim.Adam(model.parameters(), lr=3e-3)
    warmup = t.optim.lr_scheduler.LambdaLR(optimizer, lambda step: min(1.0, (step + 1) / 4))
    losses = []
    for _ in range(3):
        model.train()
        for x, y in loader:
            loss = criterion(model(x), y)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            warmup.step()
            losses.append(loss.item())
        model.eval()
        with t.no_grad():
            correct = (model(images).argmax(dim=1) == labels).float().mean().item()
        losses.append(correct)
    yield losses, None


# ---------------------------------------------------------------- an encoder and a decoder
def translation(t):
    nn = t.nn
    pad, bos = 0, 1

    class PositionalEncoding(nn.Module):
        def __init__(self, d_model, maxlen=20):
            super().__init__()
            den = t.exp(-t.arange(0, d_model, 2) * math.log(10000) / d_model)
            pos = t.arange(0, maxlen).reshape(maxlen, 1)
            table = t.zeros((maxlen, d_model))
            table[:, 0::2] = t.sin(pos * den)
            table[:, 1::2] = t.cos(pos * den)
            self.dropout = nn.Dropout(0.0)
            self.register_buffer("pos_embedding", table.unsqueeze(-2))

        def forward(self, x):
            return self.dropout(x + self.pos_embedding[: x.size(0), :])

    class Seq2SeqTransformer(nn.Module):
        def __init__(self, d_model=16, vocabulary=11):
            super().__init__()
            self.d_model = d_model
            self.transformer = nn.Transformer(
                d_model=d_model,
                nhead=2,
                num_encoder_layers=2,
                num_decoder_layers=2,
                dim_feedforward=32,
                dropout=0.0,
            )
            self.generator = nn.Linear(d_model, vocabulary)
            self.src_embedding = nn.Embedding(vocabulary, d_model, padding_idx=pad)
            self.tgt_embedding = nn.Embedding(vocabulary, d_model)
            self.positional_encoding = PositionalEncoding(d_model)

        def embed(self, table, tokens):
            return self.positional_encoding(table(tokens.long()) * math.sqrt(self.d_model))

        def forward(self, src, tgt, masks):
            src, tgt = self.embed(self.src_embedding, src), self.embed(self.tgt_embedding, tgt)
            return self.generator(self.transformer(src, tgt, *masks))

    def create_masks(src, tgt):
        ahead = (t.triu(t.ones(len(tgt), len(tgt))) == 1).transpose(0, 1)
        ahead = ahead.float().masked_fill(ahead == 0, float("-inf")).masked_fill(ahead == 1, 0.0)
        src_mask = t.zeros((len(src), len(src))).type(t.bool)
        src_padding = (src == pad).transpose(0, 1)
        tgt_padding = (tgt == pad).transpose(0, 1).type_as(ahead).mul(-1e9)
        return src_mask, ahead, None, src_padding, tgt_padding, src_padding

    model = Seq2SeqTransformer()
    yield model
    draws = np.random.default_rng(2)
    optimizer = t.optim.Adam(model.parameters(), lr=3e-3, betas=(0.9, 0.98), eps=1e-9)
    criterion = nn.CrossEntropyLoss(ignore_index=pad)
    losses = []
    for _ in range(6):
        src = draws.integers(2, 11, (6, 4))
        src[4:, 1] = src[5:, 2] = pad
        src = t.tensor(src)
        tgt = t.cat([t.full((1, 4), bos), src.flip(0)])
        tgt_in, tgt_out = tgt[:-1, :], tgt[1:, :]
        logits = model(src, tgt_in, create_masks(src, tgt_in))
        optimizer.zero_grad()
        loss = criterion(logits.reshape(-1, logits.shape[-1]), tgt_out.reshape(-1))
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    model.eval()
    with t.inference_mode():
        memory = model.transformer.encoder(model.embed(model.src_embedding, src[:, :1]))
        ys = t.ones(1, 1).fill_(bos).type(t.long)
        for _ in range(5):
            mask = nn.Transformer.generate_square_subsequent_mask(ys.size(0)).type(t.bool)
            out = model.transformer.decoder(model.embed(model.tgt_embedding, ys), memory, mask)
            _, word = t.max(model.generator(out.transpose(0, 1)[:, -1]), dim=1)
            ys = t.cat([ys, t.ones(1, 1).type_as(src.data).fill_(word.item())], dim=0)
    yield losses, ys.flatten().tolist()


# ---------------------------------------------------------------- attention by hand
def alignment(t):
    """Sequence to sequence without recurrence: every output letter looks at the inputs."""
    nn, F = t.nn, t.nn.functional

    class Attention(nn.Module):
        def __init__(self, size):
            super().__init__()
            self.Wa, self.Ua, self.Va = (
                nn.Linear(size, size),
                nn.Linear(size, size),
                nn.Linear(size, 1),
            )

        def forward(self, query, keys, lengths):
            scores = self.Va(t.tanh(self.Wa(query).unsqueeze(2) + self.Ua(keys).unsqueeze(1)))
            scores = scores.squeeze(-1)
            steps = t.arange(keys.size(1), device=keys.device)
            seen = steps[None, :] < lengths[:, None]
            scores = scores.masked_fill(~seen.unsqueeze(1), -1e9)
            weights = F.softmax(scores, dim=-1)
            return t.bmm(weights, keys), weights

    class Model(nn.Module):
        def __init__(self, vocabulary=9, size=12, longest=6):
            super().__init__()
            self.embedding = nn.Embedding(vocabulary, size)
            self.queries = nn.Parameter(t.zeros(longest, size).uniform_(-0.5, 0.5))
            self.positions = nn.Parameter(t.zeros(longest, size).normal_(0, 0.5))
            self.attention = Attention(size)
            self.out = nn.Sequential(nn.Linear(2 * size, size), nn.Tanh(), nn.Linear(size, 9))

        def forward(self, x, lengths):
            keys = self.embedding(x) + self.positions
            query = self.queries.unsqueeze(0).repeat(x.size(0), 1, 1)
            context, weights = self.attention(query, keys, lengths)
            return F.log_softmax(self.out(t.cat([context, query], dim=-1)), dim=-1), weights

    model = Model()
    yield model
    draws = np.random.default_rng(3)
    optimizer = t.optim.RMSprop(model.parameters(), lr=5e-3, momentum=0.5)
    scheduler = t.optim.lr_scheduler.StepLR(optimizer, step_size=3, gamma=0.5)
    losses = []
    x = t.from_numpy(draws.integers(0, 9, (5, 6)))
    lengths = t.LongTensor([6, 5, 6, 4, 3])
    target = x.flip([1])
    for _ in range(7):
        logp, weights = model(x, lengths)
        assert t.allclose(weights.sum(-1), t.ones(5, 6)) and weights[4, :, 3:].sum() == 0
        picked = logp.gather(2, target.unsqueeze(-1)).squeeze(-1)
        mask = (t.arange(6)[None] < lengths[:, None]).float()
        entropy = -(weights * (weights + 1e-9).log()).sum(-1).mean()
        loss = -(picked * mask).sum() / mask.sum() + 0.01 * entropy
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_value_(model.parameters(), 0.5)
        optimizer.step()
        scheduler.step()
        losses.append(loss.item())
    yield losses, logp.argmax(-1).tolist()


@pytest.mark.parametrize("program", [gpt, vit, translation, alignment])
@pytest.mark.filterwarnings("ignore:enable_nested_tensor is True")
@pytest.mark.filterwarnings("ignore:Support for mismatched")
def test_program_trains_as_in_pytorch(program):
    import torch

    torch.manual_seed(0)
    runs = [program(labtorch), program(torch)]
    ours, theirs = (next(run) for run in runs)
    assert repr(ours) == repr(theirs)
    state = {key: value.numpy() for key, value in theirs.state_dict().items()}
    ours.load_state_dict({key: labtorch.tensor(value) for key, value in state.items()})
    (losses, written), (expected, theirs_written) = (next(run) for run in runs)
    np.testing.assert_allclose(losses, expected, rtol=1e-4, atol=1e-4)
    assert written == theirs_written
    assert losses[-1] < losses[0]
