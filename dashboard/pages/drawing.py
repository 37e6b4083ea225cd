"""The geometry of charts."""

from collections.abc import Sequence

from dashboard.pages.chartparts import Bucket, Format, Layer, Rect, Reference
from dashboard.pages.scales import Scale, scale


def stack(layers: list[Layer], bucket: Bucket, place: int, count: int, height: Scale) -> None:
    """The parts of one bar from the bottom up; what is there at all is seen."""
    x, width = 100 / count * place, 100 / count
    top = 100.0
    for layer, value in zip(layers, bucket.values, strict=True):
        if value:
            tall = min(top, max(1.2, height.share(value)))
            top -= tall
            rect = Rect(
                f"{x + width * 0.08:.2f}", f"{top:.2f}", f"{width * 0.84:.2f}", f"{tall:.2f}"
            )
            layer.rects.append(rect)


def line(values: Sequence[float | None], height: Scale) -> tuple[str, list[tuple[str, str]]]:
    """A path through the middles of the buckets in a square of 1000, and points that stand alone."""
    path, alone, is_down = "", [], False
    for place, value in enumerate(values):
        if value is None:
            is_down = False
            continue
        x, y = (place + 0.5) / len(values) * 1000, 1000 - height.share(value) * 10
        goes_on = place + 1 < len(values) and values[place + 1] is not None
        if is_down or goes_on:
            path += f"{'L' if is_down else 'M'}{x:.0f} {y:.0f}"
        else:
            alone.append((f"{x / 10:.1f}", f"{y / 10:.1f}"))
        is_down = True
    return path, alone


def scaled(values: Sequence[float], reference: Reference | None, form: Format) -> Scale:
    most = max(values, default=0)
    return scale(max(most, reference.value) if reference else most, form)


def across(reference: Reference | None, height: Scale) -> tuple[str, str] | None:
    if reference is None:
        return None
    return f"{100 - height.share(reference.value):.2f}", reference.label


def partial(buckets: Sequence[Bucket]) -> Rect | None:
    """The place of the last bucket, if its time is not over."""
    if not buckets or not buckets[-1].is_partial:
        return None
    width = 100 / len(buckets)
    return Rect(f"{100 - width:.2f}", "0", f"{width:.2f}", "100")


def few(labels: Sequence[str]) -> tuple[str, ...]:
    """The first, the middle and the last."""
    if len(labels) < 3:
        return tuple(labels)
    return labels[0], labels[len(labels) // 2], labels[-1]
