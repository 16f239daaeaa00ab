"""Metrics of several cells as one scrape: each sample gets the label `cell`."""

from collections.abc import Mapping, Sequence
from typing import Any

from prometheus_client import Metric
from prometheus_client.metrics_core import GaugeMetricFamily
from prometheus_client.samples import Exemplar

LABEL = "cell"


def to_json(families: Sequence[Metric]) -> list[Any]:
    """Families as plain values."""
    return [
        [
            *(family.name, family.documentation, family.type, family.unit),
            [
                [sample.name, sample.labels, sample.value, _values_of(sample.exemplar)]
                for sample in family.samples
            ],
        ]
        for family in families
    ]


def of_cells(found: Mapping[int, Any], missing: Sequence[int]) -> Sequence[Metric]:
    """The families of all cells, from those of each as `to_json` returns them; and one that says
    which cells did not answer."""
    families: dict[str, Metric] = {}
    up = GaugeMetricFamily("lambent_cell_up", "Whether a cell has answered.", labels=[LABEL])
    for cell in sorted((*found, *missing)):
        up.add_metric([str(cell)], float(cell in found))
        for name, text, kind, unit, samples in found.get(cell, ()):
            # The library adds the unit to the name unless it is there.
            family = families.setdefault(name, Metric(name, text, kind, unit))
            for sample, labels, value, exemplar in samples:
                labels = {**labels, LABEL: str(cell)}
                family.add_sample(sample, labels, value, None, exemplar and Exemplar(*exemplar))
    return [*(families[name] for name in sorted(families)), up]


def _values_of(exemplar: Exemplar | None) -> list[Any] | None:
    return None if exemplar is None else [exemplar.labels, exemplar.value, exemplar.timestamp]
