"""Models as people write them: onnxruntime agrees at other batch sizes and lengths."""

from __future__ import annotations

import math

import numpy as np
import pytest

import labtorch as torch
import labtorch.nn.functional as F
from labtorch import nn
from tests.onnx.agreement import exported, floats, integers, nodes, same, weights

pytest.importorskip("onnx")
pytest.importorskip("onnxruntime")
pytestmark = pytest.mark.filterwarnings("error::labtorch.onnx.TracerWarning")


# -------------------------------------------------------------------- a ResNet
class Block(nn.Module):
    def __init__(self, channels, out, stride):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, out, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(out)
        self.conv2 = nn.Conv2d(out, out, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(out)
        self.downsample = None
        if stride != 1 or channels != out:
            self.downsample = nn.Sequential(
                nn.Conv2d(channels, out, 1, stride, bias=False), nn.BatchNorm2d(out)
            )

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)), inplace=True)
        out = self.bn2(self.conv2(out))
        out += x if self.downsample is None else self.downsample(x)
        return F.relu(out, inplace=True)


class ResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(3, 8, 7, 2, 3, bias=False), nn.BatchNorm2d(8)
        self.layer1 = nn.Sequential(Block(8, 8, 1), Block(8, 8, 1))
        self.layer2 = nn.Sequential(Block(8, 16, 2), Block(16, 16, 1))
        self.avgpool, self.fc = nn.AdaptiveAvgPool2d((1, 1)), nn.Linear(16, 5)

    def forward(self, x):
        x = F.max_pool2d(F.relu(self.bn1(self.conv1(x))), 3, 2, 1)
        x = self.layer2(self.layer1(x))
        return self.fc(torch.flatten(self.avgpool(x), 1))


def trained(model, x):
    """A model whose running statistics are not what they were made as."""
    model.train()
    model(x)
    return model.eval()


def test_a_resnet():
    model = trained(ResNet(), floats(4, 3, 32, 32))
    program = exported(model, (floats(2, 3, 32, 32),), [(0, 0)])
    for batch in (1, 3, 7):
        same(program, model, (floats(batch, 3, 32, 32, seed=batch),))
    assert "/layer2/0/downsample/1/BatchNormalization" in nodes(program)
    state = {n for n in model.state_dict() if not n.endswith("num_batches_tracked")}
    assert state <= set(weights(program))


def test_a_resnet_for_any_size_of_images():
    model = trained(ResNet(), floats(4, 3, 32, 32))
    axes = {"x": {0: "n", 2: "height", 3: "width"}}
    program = torch.onnx.export(model, (floats(2, 3, 32, 40),), dynamic_axes=axes)
    for shape in ((1, 3, 32, 32), (3, 3, 50, 64)):
        same(program, model, (floats(*shape),))


# -------------------------------------------------------------------- a U-Net
def double(channels, out):
    return nn.Sequential(
        *(nn.Conv2d(channels, out, 3, padding=1), nn.BatchNorm2d(out), nn.ReLU(inplace=True)),
        *(nn.Conv2d(out, out, 3, padding=1), nn.GroupNorm(2, out), nn.LeakyReLU(0.1)),
    )


class UNet(nn.Module):
    def __init__(self, bilinear):
        super().__init__()
        self.down1, self.down2, self.bottom = double(1, 4), double(4, 8), double(8, 16)
        self.up2 = nn.ConvTranspose2d(16, 8, 2, stride=2)
        self.up1 = (
            nn.Sequential(nn.Upsample(scale_factor=2, mode="bilinear"), nn.Conv2d(8, 4, 1))
            if bilinear
            else nn.ConvTranspose2d(8, 4, 2, stride=2)
        )
        self.left2, self.left1, self.out = double(16, 8), double(8, 4), nn.Conv2d(4, 2, 1)

    def forward(self, x):
        one = self.down1(x)
        two = self.down2(F.max_pool2d(one, 2))
        y = self.up2(self.bottom(F.max_pool2d(two, 2)))
        dh, dw = two.size(2) - y.size(2), two.size(3) - y.size(3)
        y = F.pad(y, [dw // 2, dw - dw // 2, dh // 2, dh - dh // 2])
        y = self.left2(torch.cat([two, y], dim=1))
        y = self.left1(torch.cat([one, self.up1(y)], dim=1))
        return torch.sigmoid(self.out(y))


@pytest.mark.parametrize("bilinear", [True, False])
def test_a_unet(bilinear):
    model = trained(UNet(bilinear), floats(2, 1, 20, 24))
    program = exported(model, (floats(2, 1, 20, 24),), [(0, 0)])
    for batch in (1, 3, 7):
        same(program, model, (floats(batch, 1, 20, 24, seed=batch),))


# -------------------------------------------------------------------- texts
class TextClassifier(nn.Module):
    """An LSTM over both directions, the last states, a mask for what is padding."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(30, 8, padding_idx=0)
        self.lstm = nn.LSTM(8, 6, 2, bidirectional=True, batch_first=True, dropout=0.3)
        self.attention, self.fc = nn.Linear(12, 1), nn.Linear(24, 3)

    def forward(self, tokens):
        output, (hidden, _) = self.lstm(self.embedding(tokens))
        last = torch.cat((hidden[-2], hidden[-1]), dim=1)
        scores = self.attention(output).squeeze(-1).masked_fill(tokens == 0, -1e9)
        pooled = (output * scores.softmax(1).unsqueeze(-1)).sum(1)
        return self.fc(torch.cat((last, pooled), 1)).log_softmax(-1)


def test_an_lstm_text_classifier():
    model = TextClassifier().eval()
    axes = {"tokens": {0: "batch", 1: "length"}}
    program = torch.onnx.export(model, (integers(30, 2, 9),), dynamic_axes=axes)
    for shape in ((1, 9), (3, 4), (7, 15)):
        same(program, model, (integers(30, *shape),))


class PositionalEncoding(nn.Module):
    def __init__(self, width, length=50):
        super().__init__()
        place = torch.arange(length).unsqueeze(1)
        rate = torch.exp(torch.arange(0, width, 2) * (-math.log(10000.0) / width))
        pe = torch.zeros(length, 1, width)
        pe[:, 0, 0::2] = torch.sin(place * rate)
        pe[:, 0, 1::2] = torch.cos(place * rate)
        self.register_buffer("pe", pe)

    def forward(self, x):
        return x + self.pe[: x.size(0)]


class Encoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding, self.positions = nn.Embedding(30, 16), PositionalEncoding(16)
        layer = nn.TransformerEncoderLayer(16, 4, 32, dropout=0.1)
        self.encoder, self.fc = nn.TransformerEncoder(layer, 2), nn.Linear(16, 30)

    def forward(self, tokens):
        x = self.positions(self.embedding(tokens) * math.sqrt(16))
        mask = nn.Transformer.generate_square_subsequent_mask(len(tokens))
        x = self.encoder(x, mask=mask, src_key_padding_mask=(tokens == 0).T)
        return self.fc(x)


@pytest.mark.filterwarnings("ignore:enable_nested_tensor|Support for mismatched:UserWarning")
def test_a_transformer_encoder():
    model = Encoder().eval()
    tokens = integers(29, 9, 2) + 1
    axes = {"tokens": {0: "length", 1: "batch"}}
    program = torch.onnx.export(model, (tokens,), dynamic_axes=axes)
    for shape in ((9, 1), (4, 3), (15, 7)):
        tokens = integers(29, *shape) + 1
        tokens[-2:, 0] = 0
        same(program, model, (tokens,))
    assert "/encoder/layers/1/linear1/Gemm" in nodes(program) or any(
        name.startswith("/encoder/layers/1/linear1/MatMul") for name in nodes(program)
    )
    assert "positions.pe" in weights(program)


class SelfAttention(nn.Module):
    def __init__(self, width, heads, length, flash):
        super().__init__()
        self.c_attn, self.c_proj = nn.Linear(width, 3 * width), nn.Linear(width, width)
        self.heads, self.flash = heads, flash
        self.dropout = nn.Dropout(0.1)
        bias = torch.tril(torch.ones(length, length)).view(1, 1, length, length)
        self.register_buffer("bias", bias)

    def forward(self, x):
        B, T, C = x.size()
        q, k, v = self.c_attn(x).split(C, dim=2)
        q, k, v = (y.view(B, T, self.heads, C // self.heads).transpose(1, 2) for y in (q, k, v))
        if self.flash:
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        else:
            att = (q @ k.transpose(-2, -1)) * (1.0 / math.sqrt(k.size(-1)))
            att = att.masked_fill(self.bias[:, :, :T, :T] == 0, float("-inf"))
            y = self.dropout(F.softmax(att, dim=-1)) @ v
        return self.c_proj(y.transpose(1, 2).contiguous().view(B, T, C))


class GPT(nn.Module):
    def __init__(self, flash):
        super().__init__()
        self.wte, self.wpe = nn.Embedding(40, 16), nn.Embedding(20, 16)
        self.ln_1 = nn.ModuleList([nn.LayerNorm(16) for _ in range(2)])
        self.ln_2 = nn.ModuleList([nn.LayerNorm(16) for _ in range(2)])
        self.attn = nn.ModuleList([SelfAttention(16, 4, 20, flash) for _ in range(2)])
        self.mlp = nn.ModuleList(
            [nn.Sequential(nn.Linear(16, 64), nn.GELU("tanh"), nn.Linear(64, 16)) for _ in range(2)]
        )
        self.ln_f, self.lm_head = nn.LayerNorm(16), nn.Linear(16, 40, bias=False)
        self.lm_head.weight = self.wte.weight

    def forward(self, idx):
        b, t = idx.size()
        pos = torch.arange(0, t, dtype=torch.long, device=idx.device)
        x = self.wte(idx) + self.wpe(pos)
        for ln_1, attn, ln_2, mlp in zip(self.ln_1, self.attn, self.ln_2, self.mlp):
            x = x + attn(ln_1(x))
            x = x + mlp(ln_2(x))
        return self.lm_head(self.ln_f(x)[:, [-1], :])


@pytest.mark.parametrize("flash", [True, False])
@pytest.mark.parametrize("opset", [18, 20, 23])
def test_a_gpt(flash, opset):
    model = GPT(flash).eval()
    axes = {"idx": {0: "batch", 1: "time"}}
    program = torch.onnx.export(
        model, (integers(40, 2, 9),), dynamic_axes=axes, opset_version=opset
    )
    for shape in ((1, 1), (3, 12), (7, 20)):
        same(program, model, (integers(40, *shape),))
    assert weights(program).count("wte.weight") == 1  # tied: stored once
    assert "lm_head.weight" not in weights(program)


class ViT(nn.Module):
    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, 16, 4, 4)
        self.cls_token = nn.Parameter(torch.ones(1, 1, 16))
        self.pos_embed = nn.Parameter(floats(1, 17, 16))
        self.attn, self.norm = nn.MultiheadAttention(16, 4, batch_first=True), nn.LayerNorm(16)
        self.head = nn.Linear(16, 5)

    def forward(self, x):
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = torch.cat([self.cls_token.expand(x.shape[0], -1, -1), x], 1) + self.pos_embed
        h = self.norm(x)
        x = x + self.attn(h, h, h, need_weights=False)[0]
        return self.head(x[:, 0])


def test_a_vision_transformer():
    model = ViT().eval()
    program = exported(model, (floats(2, 3, 16, 16),), [(0, 0)])
    for batch in (1, 3, 7):
        same(program, model, (floats(batch, 3, 16, 16),))


class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(12, 8), nn.ReLU())
        self.mu, self.logvar = nn.Linear(8, 2), nn.Linear(8, 2)
        self.decoder = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Linear(8, 12), nn.Sigmoid())

    def forward(self, x):
        h = self.encoder(x.view(-1, 12))
        mu, logvar = self.mu(h), self.logvar(h)
        z = mu
        if self.training:
            z = mu + torch.exp(0.5 * logvar) * torch.randn_like(mu)
        return self.decoder(z), mu, logvar


def test_several_outputs():
    model = VAE().eval()
    axes = {"x": {0: "batch"}}
    names = ["image", "mu", "logvar"]
    program = torch.onnx.export(
        model, (floats(2, 3, 4),), output_names=names, dynamic_axes=axes, input_names=["x"]
    )
    assert [each.name for each in program.model_proto.graph.output] == names
    for batch in (1, 3, 7):
        same(program, model, (floats(batch, 3, 4),))


class CharRNN(nn.Module):
    """Cells in a loop of fixed length, states that come in and go out."""

    def __init__(self):
        super().__init__()
        self.cell, self.out = nn.GRUCell(5, 7), nn.Linear(7, 5)

    def forward(self, x, h):
        outputs = []
        for t in range(x.size(1)):
            h = self.cell(x[:, t], h)
            outputs.append(self.out(h))
        return torch.stack(outputs, dim=1), h


def test_a_loop_of_cells():
    model = CharRNN().eval()
    program = exported(model, (floats(2, 4, 5), floats(2, 7)), [(0, 0), (1, 0)])
    for batch in (1, 3, 7):
        same(program, model, (floats(batch, 4, 5), floats(batch, 7, seed=1)))


def test_the_exported_model_is_not_the_model():
    """What is trained further does not change what was exported."""
    model = nn.Linear(3, 2)
    program = exported(model, (floats(2, 3),))
    before = program(floats(2, 3))[0].numpy().copy()
    with torch.no_grad():
        model.weight += 1
    np.testing.assert_array_equal(program(floats(2, 3))[0].numpy(), before)
