"""Programs as other people write them, for PyTorch: each defines `model` and a training `step`."""

from __future__ import annotations

HEAD = """\
import labtorch as torch
import labtorch.nn as nn
import labtorch.nn.functional as F

torch.manual_seed(0)
"""

TRANSFORMER = """\
class Block(nn.Module):
    def __init__(self, width, heads):
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = nn.MultiheadAttention(width, heads, batch_first=True)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, x, mask):
        h = self.norm1(x)
        x = x + self.attention(h, h, h, attn_mask=mask, need_weights=False)[0]
        return x + self.mlp(self.norm2(x))


class GPT(nn.Module):
    def __init__(self, vocabulary=16, width=16, heads=2, depth=4, length=12):
        super().__init__()
        self.tokens = nn.Embedding(vocabulary, width)
        self.positions = nn.Embedding(length, width)
        self.blocks = nn.ModuleList([Block(width, heads) for _ in range(depth)])
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, vocabulary, bias=False)

    def forward(self, ids):
        n = ids.size(1)
        x = self.tokens(ids) + self.positions(torch.arange(n))
        mask = torch.triu(torch.full((n, n), float("-inf")), diagonal=1)
        for block in self.blocks:
            x = block(x, mask)
        return self.head(self.norm(x))


model = GPT()
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
ids = torch.randint(0, 16, (8, 13))


def step():
    optimizer.zero_grad()
    logits = model(ids[:, :-1])
    loss = F.cross_entropy(logits.reshape(-1, 16), ids[:, 1:].reshape(-1))
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    optimizer.step()
    return loss.item()
"""

RESNET = """\
class BasicBlock(nn.Module):
    def __init__(self, in_planes, planes, stride=1):
        super().__init__()
        self.conv1 = nn.Conv2d(in_planes, planes, 3, stride, 1, bias=False)
        self.bn1 = nn.BatchNorm2d(planes)
        self.conv2 = nn.Conv2d(planes, planes, 3, 1, 1, bias=False)
        self.bn2 = nn.BatchNorm2d(planes)
        self.shortcut = nn.Sequential()
        if stride != 1 or in_planes != planes:
            self.shortcut = nn.Sequential(
                nn.Conv2d(in_planes, planes, 1, stride, bias=False), nn.BatchNorm2d(planes)
            )

    def forward(self, x):
        out = F.relu(self.bn1(self.conv1(x)))
        out = self.bn2(self.conv2(out))
        out += self.shortcut(x)
        return F.relu(out)


class ResNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(
            nn.Conv2d(1, 8, 3, 1, 1, bias=False), nn.BatchNorm2d(8), nn.ReLU()
        )
        self.layer1 = nn.Sequential(BasicBlock(8, 8), BasicBlock(8, 8))
        self.layer2 = nn.Sequential(BasicBlock(8, 16, 2), BasicBlock(16, 16))
        self.fc = nn.Linear(16, 10)

    def forward(self, x):
        x = self.layer2(self.layer1(self.stem(x)))
        x = F.adaptive_avg_pool2d(x, 1).flatten(1)
        return self.fc(x)


model = ResNet()
optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=5e-4)
images, labels = torch.randn(16, 1, 8, 8), torch.randint(0, 10, (16,))


def step():
    optimizer.zero_grad()
    loss = F.cross_entropy(model(images), labels)
    loss.backward()
    optimizer.step()
    return loss.item()
"""

CONTROL_FLOW = """\
import random

random.seed(0)


class DynamicNet(nn.Module):
    def __init__(self):
        super().__init__()
        self.input = nn.Linear(10, 16)
        self.middle = nn.Linear(16, 16)
        self.output = nn.Linear(16, 1)

    def forward(self, x):
        h = self.input(x).clamp(min=0)
        for _ in range(random.randint(0, 3)):
            h = self.middle(h).clamp(min=0)
        if h.mean() > 0.2:
            h = h - h.mean()
        return self.output(h)


model = DynamicNet()
optimizer = torch.optim.SGD(model.parameters(), lr=1e-2)
x, y = torch.randn(32, 10), torch.randn(32, 1)


def step():
    loss = F.mse_loss(model(x), y)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
    return loss.item()
"""

SHARED = """\
class Siamese(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(12, 16), nn.Tanh(), nn.Linear(16, 4))
        self.decoder = nn.Linear(4, 16, bias=False)
        self.decoder.weight = nn.Parameter(torch.randn(16, 4) * 0.1)
        self.out = nn.Linear(16, 12)
        self.out.weight = nn.Parameter(self.encoder[0].weight.detach().t().clone())

    def forward(self, left, right):
        a, b = self.encoder(left), self.encoder(right)
        return (a - b).pow(2).sum(1), self.out(torch.tanh(self.decoder(a)))


model = Siamese()
optimizer = torch.optim.RMSprop(model.parameters(), lr=1e-3)
left, right = torch.randn(20, 12), torch.randn(20, 12)
same = torch.randint(0, 2, (20,)).float()


def step():
    optimizer.zero_grad(set_to_none=True)
    distance, rebuilt = model(left, right)
    loss = (same * distance + (1 - same) * F.relu(1 - distance)).mean()
    loss = loss + 0.1 * F.l1_loss(rebuilt, left)
    loss.backward()
    optimizer.step()
    return loss.item()
"""

TEXT = """\
from labtorch.nn.utils.rnn import pack_padded_sequence, pad_sequence

names = ["anna", "otto", "maria", "li", "wei", "john", "xiu", "bob"]
alphabet = sorted(set("".join(names)))
encoded = [torch.tensor([alphabet.index(c) + 1 for c in name]) for name in names]
lengths = torch.tensor([len(each) for each in encoded])
padded = pad_sequence(encoded, batch_first=True)
labels = torch.tensor([0, 0, 0, 1, 1, 0, 1, 0])


class TextClassifier(nn.Module):
    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(len(alphabet) + 1, 8, padding_idx=0)
        self.lstm = nn.LSTM(8, 12, num_layers=2, batch_first=True, bidirectional=True)
        self.dropout = nn.Dropout(0.2)
        self.classifier = nn.Linear(24, 2)

    def forward(self, ids, lengths):
        packed = pack_padded_sequence(
            self.embedding(ids), lengths, batch_first=True, enforce_sorted=False
        )
        _, (h, _) = self.lstm(packed)
        return self.classifier(self.dropout(torch.cat([h[-2], h[-1]], dim=1)))


model = TextClassifier()
optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)


def step():
    optimizer.zero_grad()
    loss = F.cross_entropy(model(padded, lengths), labels)
    loss.backward()
    optimizer.step()
    return loss.item()
"""

MODELS = {
    "transformer": TRANSFORMER,
    "resnet": RESNET,
    "control flow": CONTROL_FLOW,
    "shared modules": SHARED,
    "text": TEXT,
}
