"""A long run that reports how far it is and stops when it is asked to."""

from engine import Context, logger, metadata, task


@task(id="convert-video", machine="medium-1x", max_duration="10m")
def convert_video(payload, ctx: Context) -> str:
    """Convert frame by frame; cancel the run to see it clean up."""
    seconds = (payload or {}).get("seconds", 30)
    logger.info("opened the file")
    try:
        for done in range(seconds):
            if ctx.signal.wait(timeout=1):
                logger.warning("asked to stop", reason=ctx.signal.reason)
                ctx.signal.raise_if_aborted()
            print(f"{(done + 1) / seconds:.0%}")
            metadata.set("progress", {"done": done + 1, "of": seconds})
    finally:
        logger.info("closed the file")
    return "converted.mp4"
