"""What goes wrong in the shop: exceptions with the tracebacks Python would print."""

import json
from dataclasses import dataclass
from random import Random

SITE = "/srv/shop/.venv/lib/python3.12/site-packages"
LEAD = "The above exception was the direct cause of the following exception:\n"
Frame = tuple[str, int, str, str]


@dataclass(frozen=True, slots=True)
class Mishap:
    """An exception, where it was raised, and what it came from. Braces are filled in by chance."""

    name: str
    message: str
    frames: tuple[Frame, ...]
    cause: "Mishap | None" = None


def _own(file: str, line: int, function: str, text: str) -> Frame:
    return f"/srv/shop/tasks/{file}", line, function, text


SEND = (f"{SITE}/httpx/_client.py", 914, "Client.send", "response = self._send_handling_auth(")
READ = (f"{SITE}/httpcore/_sync/connection_pool.py", 216, "handle_request", "raise exc from None")
EXECUTE = (f"{SITE}/psycopg/cursor.py", 97, "Cursor.execute", "raise ex.with_traceback(None)")
RESET = Mishap("ConnectionResetError", "[Errno 104] Connection reset by peer", (READ,))
MISHAPS = {
    "declined": Mishap(
        "CardDeclined", "card of customer {customer} was declined: insufficient_funds",
        (_own("charge.py", 41, "charge_card", "payment = gateway.charge(order, amount)"),
         _own("gateway.py", 88, "Gateway.charge", 'raise CardDeclined(f"card of {customer} …")')),
    ),
    "gateway": Mishap(
        "GatewayTimeout", "payments.example.com did not answer within 10.0 s (request {hex})",
        (_own("charge.py", 41, "charge_card", "payment = gateway.charge(order, amount)"),
         _own("gateway.py", 63, "Gateway.post", "response = self.client.post(path, json=body)"),
         SEND),
        Mishap("ReadTimeout", "The read operation timed out", (SEND, READ)),
    ),
    "reset": Mishap("ConnectionResetError", RESET.message, (
        _own("mailing.py", 27, "deliver", "server.send_message(message)"), READ)),
    "stock": Mishap("OutOfStock", "only {small} of {number} pieces of SKU-{number} are left", (
        _own("reserve.py", 33, "reserve_stock", "left = warehouse.take(item)"),
        _own("warehouse.py", 112, "Warehouse.take", "raise OutOfStock(item, left)"))),
    "deadlock": Mishap(
        "OperationalError", "deadlock detected\nDETAIL:  Process {number} waits for ShareLock on"
        " transaction {number}; blocked by process {number}.",
        (_own("warehouse.py", 97, "Warehouse.lock", "cursor.execute(LOCK, [sku])"), EXECUTE)),
    "mailbox": Mishap("DeliveryError", "mailbox of {customer}@example.com is full\nSMTP 552 5.2.2", (
        _own("send.py", 22, "send_receipt", "deliver(message, to=customer.email)"),
        _own("mailing.py", 31, "deliver", 'raise DeliveryError(f"mailbox of {to} is full")'))),
    "smtp": Mishap("SMTPServerDisconnected", "Connection unexpectedly closed", (
        _own("mailing.py", 27, "deliver", "server.send_message(message)"),
        ("/usr/lib/python3.12/smtplib.py", 405, "SMTP.getreply", "raise SMTPServerDisconnected("))),
    "picture": Mishap("UnidentifiedImageError", "cannot identify image file 'uploads/{hex}.jpg'", (
        _own("resize.py", 19, "resize_image", "picture = Image.open(path)"),
        (f"{SITE}/PIL/Image.py", 3498, "open", "raise UnidentifiedImageError(msg)"))),
    "memory": Mishap("MemoryError", "", (
        _own("resize.py", 24, "resize_image", "small = picture.resize(size, LANCZOS)"),
        (f"{SITE}/PIL/Image.py", 2365, "Image.resize", "return self._new(self.im.resize(size))"))),
    "ratelimit": Mishap("HTTPStatusError", "Client error '429 Too Many Requests' for url"
        " 'https://api.example.com/v2/customers/{number}'", (
        _own("sync.py", 52, "sync_customer", "response.raise_for_status()"),
        (f"{SITE}/httpx/_models.py", 829, "Response.raise_for_status", "raise HTTPStatusError("))),
    "missing": Mishap("KeyError", "'vat_id'", (
        _own("sync.py", 47, "sync_customer", "fields = mapped(customer)"),
        _own("mapping.py", 14, "mapped", 'return {"vat": customer["vat_id"], **names}'))),
    "validation": Mishap("ValidationError", "1 validation error for Order\nitems.{small}.count\n"
        "  Input should be greater than 0 [type=greater_than, input_value=0]", (
        _own("fulfil.py", 28, "fulfil_order", "order = Order.model_validate(payload)"),
        (f"{SITE}/pydantic/main.py", 627, "BaseModel.model_validate", "return cls.__validator__("))),
    "unicode": Mishap("UnicodeEncodeError",
        "'latin-1' codec can't encode character '\\u4f60' in position {small}", (
        _own("translate.py", 36, "translate_review", 'body = review.text.encode("latin-1")'),)),
    "rows": Mishap("ImportFailed", "row {number} is not readable", (
        _own("import.py", 71, "import_feed", "for row in rows(feed):"),
        _own("feeds.py", 40, "rows", 'raise ImportFailed(f"row {n} is not readable") from error')),
        Mishap("ValueError", "could not convert string to float: '12,5O'", (
            _own("feeds.py", 38, "rows", "yield Row(sku, float(price))"),))),
}  # fmt: skip
#: Ends that are nobody's exception: code and sentence.
INTERNAL = {
    "CRASHED": ("TASK_PROCESS_OOM_KILLED", "The process used more memory than its machine has."),
    "TIMED_OUT": ("MAX_DURATION_EXCEEDED", "The run executed longer than its max_duration."),
    "SYSTEM_FAILURE": ("TASK_PROCESS_SIGTERM", "Somebody stopped the process with SIGTERM."),
}


def error(name: str, rng: Random) -> str:
    """The stored form of a mishap, as the engine writes exceptions."""
    mishap = MISHAPS[name]
    words = {
        "customer": f"c{rng.randrange(5000):04}",
        "hex": f"{rng.getrandbits(48):012x}",
        "number": rng.randrange(100, 9999),
        "small": rng.randrange(1, 9),
    }
    own = _told(mishap, words)
    causes = [{**_told(mishap.cause, words), "relation": "cause"}] if mishap.cause else []
    traces = [_trace(own), *(f"{LEAD}\n{_trace(cause)}" for cause in causes)]
    return json.dumps(
        {
            "type": "BUILT_IN_ERROR",
            "name": own["name"],
            "message": own["message"],
            "stack_trace": "\n\n".join(traces),
            "frames": own["frames"],
            "causes": causes,
        }
    )


def internal(status: str) -> str:
    """The stored form of an end that is not an exception."""
    code, message = INTERNAL[status]
    facts = {"type": "INTERNAL_ERROR", "name": code, "code": code, "message": message}
    return json.dumps({**facts, "frames": []})


def _told(mishap: Mishap, words: dict[str, object]) -> dict[str, object]:
    frames = [
        {"file": file, "line": line, "function": function, "text": text, "own": SITE not in file}
        for file, line, function, text in mishap.frames
    ]
    return {"name": mishap.name, "message": mishap.message.format(**words), "frames": frames}


def _trace(told: dict[str, object]) -> str:
    lines = ["Traceback (most recent call last):"]
    frames = told["frames"]
    assert isinstance(frames, list)
    for frame in frames:
        lines.append(f'  File "{frame["file"]}", line {frame["line"]}, in {frame["function"]}')
        lines.append(f"    {frame['text']}")
    name, message = told["name"], told["message"]
    return "\n".join([*lines, f"{name}: {message}" if message else str(name)])
