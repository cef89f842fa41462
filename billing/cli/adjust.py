"""`tollgate account debit`, `refund` and `correct`, `tollgate ledger reverse`: money moved by hand, with a reason."""

from typing import TYPE_CHECKING, Annotated

import typer

from billing.cli.account import AccountNumber, amount_of, shown
from runtime.command import (
    AsJson,
    CommandError,
    DryRun,
    ExitCode,
    Reason,
    command_group,
    money_document,
    open_engine,
    open_settings,
    print_document,
    print_done,
    staff_name,
)

if TYPE_CHECKING:
    from billing.ledger.transfer import Credited, TransferKind

Amount = Annotated[str, typer.Argument(metavar="AMOUNT", help="Decimal, in the account's currency: 20.00")]
Key = Annotated[
    str | None, typer.Option(help="Name of this movement: the same key again changes nothing. Random if not given.")
]


def attach(app: typer.Typer) -> None:
    """Bring `account debit|refund|correct` and `ledger reverse`."""
    group = command_group(app, "account", "Prepaid accounts and the money on them.")
    group.command("debit", epilog='Example: tollgate account debit 4155550100 5.00 --reason "new SIM" --key order-7')(
        debit
    )
    group.command("refund", epilog='Example: tollgate account refund 4155550100 1.50 --reason "bad line" --key case-9')(
        refund
    )
    group.command("correct", epilog='Example: tollgate account correct 4155550100 2.00 --down --reason "typing error"')(
        correct
    )
    ledger = command_group(app, "ledger", "The books: double entry, never edited.")
    ledger.command("reverse", epilog='Example: tollgate ledger reverse credit:receipt-117 --reason "cheque bounced"')(
        reverse
    )


def debit(
    account: AccountNumber,
    amount: Amount,
    reason: Reason,
    key: Key = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Take money for something that was sold outside a call; never more than is available."""
    from billing.ledger.transfer import TransferKind

    _adjust(TransferKind.DEBIT, "debited", account, amount_of(amount), reason, key, dry_run=dry_run, as_json=as_json)


def refund(
    account: AccountNumber,
    amount: Amount,
    reason: Reason,
    key: Key = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Give back what was charged."""
    from billing.ledger.transfer import TransferKind

    _adjust(TransferKind.REFUND, "refunded", account, amount_of(amount), reason, key, dry_run=dry_run, as_json=as_json)


def correct(
    account: AccountNumber,
    amount: Amount,
    reason: Reason,
    down: Annotated[bool, typer.Option("--down", help="Take the amount away instead of adding it.")] = False,
    key: Key = None,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Put a balance right that came to be wrong."""
    from billing.ledger.transfer import TransferKind

    micros = amount_of(amount)
    signed = -micros if down else micros
    _adjust(TransferKind.CORRECTION, "corrected", account, signed, reason, key, dry_run=dry_run, as_json=as_json)


def reverse(
    key: Annotated[str, typer.Argument(metavar="TRANSFER", help="Key of the transfer, as the ledger shows it.")],
    reason: Reason,
    dry_run: DryRun = False,
    as_json: AsJson = False,
) -> None:
    """Take a transfer back by its opposite; what was written stays."""
    from billing.ledger import service
    from billing.ledger.transfer import MovementRefusal
    from runtime.clock import SystemClock

    engine = open_engine(open_settings(), dry_run=dry_run)
    answer = service.reverse(engine, SystemClock(), key, made_by=staff_name(), reason=reason)
    if isinstance(answer, MovementRefusal):
        nothing = answer is MovementRefusal.UNKNOWN_TRANSFER
        raise CommandError(f"{key} was not reversed: {answer}", ExitCode.NOTHING if nothing else ExitCode.FAILED)
    if as_json:
        print_document({"key": key, "transfer": answer.transfer_id, "is_replay": answer.is_replay, "dry_run": dry_run})
    else:
        print_done(f"{key} {'was reversed before' if answer.is_replay else 'reversed'}")


def _adjust(
    kind: "TransferKind",
    done: str,
    account: str,
    micros: int,
    reason: str,
    key: str | None,
    *,
    dry_run: bool,
    as_json: bool,
) -> None:
    from billing.accounts import service as account_service
    from billing.ledger import service
    from billing.ledger.transfer import ChangedReplayError, MovementRefusal, TransferError
    from runtime import ids
    from runtime.clock import SystemClock

    name = key or ids.new_id()
    engine = open_engine(open_settings(), dry_run=dry_run)
    currency = account_service.find_account(engine, account).currency
    try:
        answer: Credited | MovementRefusal = service.adjust(
            engine, SystemClock(), kind, account, micros, key=name, made_by=staff_name(), reason=reason
        )
    except ChangedReplayError:
        raise CommandError(f"key {name} was used for something else: nothing was changed") from None
    except TransferError as error:
        raise CommandError(f"--key: {error}", ExitCode.USAGE) from None
    if isinstance(answer, MovementRefusal):
        raise CommandError(f"account {account} was not {done}: {answer}")
    if as_json:
        document = {"account": account, "key": name, done: money_document(micros, currency)}
        balance = money_document(answer.balance_micros, currency)
        print_document(document | {"balance": balance, "is_replay": answer.is_replay, "dry_run": dry_run})
    else:
        said = f"was {done} before" if answer.is_replay else done
        print_done(f"account {account} {said}: balance {shown(answer.balance_micros, currency)}, key {name}")
