"""What a drill's report says otherwise where the whole system was destroyed."""

from __future__ import annotations

from rookery.projections.document.blocks import Paragraph, Section, Table, Verdict, Words, code
from rookery.run.drill.model import DrillOutcome, OwnData


def subtitle(outcome: DrillOutcome) -> str:
    """Return in a sentence what was done."""
    if outcome.is_full:
        return (
            "Data was written to every kind of storage and backed up. Then the whole lab was destroyed, with"
            " its drives, keys and secrets, built again from its copy outside and the key to its own backup,"
            " restored, and compared with what had been written and with all that the system had itself."
        )
    return (
        "Data was written to every kind of storage, backed up, destroyed on purpose, restored from the"
        " backup, and compared with what had been written, entry by entry."
    )


def loss(outcome: DrillOutcome) -> Words:
    """Return what was lost."""
    if outcome.is_full:
        return (
            "All that this machine had of the lab was removed, and looked for in vain. It came back from ",
            code(outcome.elsewhere),
            " by a key that is on no server. Its names, addresses, keys and authority are those of before.",
        )
    return (
        "Everything that the drill had written was destroyed, and looked for in vain before anything was"
        " brought back. Nothing of the system's own was touched."
    )


def recovery(outcome: DrillOutcome) -> str:
    """Return how the time to recovery of each kind is counted."""
    if outcome.is_full:
        return (
            "Each kind waited until the lab was built again and its sets were fetched; that, and its own"
            " steps, are its recovery time objective (RTO)."
        )
    return (
        "The kinds came back one after the other; each one's recovery time objective (RTO) is the sum of its"
        " steps."
    )


def proof(outcome: DrillOutcome) -> Words:
    """Return what a drill does not prove of the applications' data."""
    if outcome.is_full:
        return (
            "What of the system's own changed while the set was taken is not compared: it came back as it was"
            " at the set's moment, which nobody had noted."
        )
    return (
        (
            "The drill restores data of its own. That the applications' data is in the same sets, and"
            " whole, is for "
        ),
        code("rookery backup check --deep"),
        " to say.",
    )


def elsewhere(outcome: DrillOutcome) -> Words:
    """Return what a drill does not prove of where backups lie."""
    if outcome.is_full:
        return (
            "The lab was built again on the machine that it was on, whose root images were there already."
            " On another one they are built first."
        )
    return (
        "A backup that lies in the same Ceph cluster is lost with it. A copy outside (",
        code("backup.copies"),
        ") is what helps then.",
    )


def own_data(outcome: DrillOutcome) -> tuple[Section, ...]:
    """Return the section on what the system had itself; none where nothing of it was lost."""
    if not outcome.is_full:
        return ()
    heads = ("Kind", "Compared", "Stood still, and had to be back", "What is not")
    rows = tuple((one.kind, _verdict(one), f"{one.things:,}", "; ".join(one.problems)) for one in outcome.own)
    words = (
        "Before the set and after it, the system's own data was counted: rows and a checksum of each table,"
        " the SHA-256 of each object, file and volume. What was the same both times had to be back as it was."
    )
    table = Table(caption="What the system had itself", heads=heads, rows=rows, right=(2,))
    section = Section(
        id="own", title="What the system had itself", blocks=(Paragraph(words=words, lede=True), table)
    )
    return (section,)


def _verdict(one: OwnData) -> Words:
    if one.unseen:
        return Verdict(well=False, text=f"not observed: {one.unseen}")
    return Verdict(well=not one.problems, text="differs" if one.problems else "all the same")
