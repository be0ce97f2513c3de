"""What operators do to instruments: one by one, and from CSV."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any, Protocol

from fairlead.v1 import reference_service_pb2 as pb

from fairlead_server.api import consistency, enums, reference
from fairlead_server.api.caller import Caller
from fairlead_server.api.requests import page_size
from fairlead_server.api.times import timestamp
from fairlead_server.api.tokens import Tokens
from fairlead_server.api.validation import validate
from fairlead_server.domain.errors import InvalidRequest, UnknownBackup
from fairlead_server.domain.instrument import Instrument
from fairlead_server.domain.instrument_rows import CellError, write_instruments
from fairlead_server.routing.imports import Import, ImportOutcome, Imports
from fairlead_server.routing.instruments import Instruments
from fairlead_server.routing.pipeline import Pipeline
from fairlead_server.routing.ports import Clock, Operator
from fairlead_server.routing.reference import Reference
from fairlead_server.store.batch import BackupRow


class BackupReader(Protocol):
    def backups(self, before: str, limit: int) -> list[BackupRow]: ...

    def backup(self, backup_id: str) -> BackupRow | None: ...


class InstrumentOperations:
    def __init__(
        self,
        known: Reference,
        instruments: Instruments,
        imports: Imports,
        backups: BackupReader,
        pipeline: Pipeline,
        tokens: Tokens,
        clock: Clock,
    ) -> None:
        self._known = known
        self._instruments = instruments
        self._imports = imports
        self._backups = backups
        self._pipeline = pipeline
        self._tokens = tokens
        self._clock = clock

    # One by one.

    async def create(
        self, request: pb.CreateInstrumentRequest, caller: Caller
    ) -> pb.CreateInstrumentResponse:
        validate(request)
        cells = reference.cells(request.instrument, reference.COLUMNS)
        made = self._decide(request, caller, lambda by, now: self._instruments.create(cells, by, now))
        shown = self._shown(made)
        await self._pipeline.durable()
        return pb.CreateInstrumentResponse(instrument=shown)

    async def update(
        self, request: pb.UpdateInstrumentRequest, caller: Caller
    ) -> pb.UpdateInstrumentResponse:
        validate(request)
        consistency.check_instrument_mask(request)
        wanted = request.instrument
        changes = reference.cells(wanted, request.update_mask.paths)
        changed = self._decide(
            request,
            caller,
            lambda by, now: self._instruments.update(wanted.instrument_id, changes, wanted.etag, by, now),
        )
        shown = self._shown(changed)
        await self._pipeline.durable()
        return pb.UpdateInstrumentResponse(instrument=shown)

    async def delete(
        self, request: pb.DeleteInstrumentRequest, caller: Caller
    ) -> pb.DeleteInstrumentResponse:
        validate(request)
        by, now = caller.operator(request.reason), self._clock()
        left = self._instruments.delete(request.instrument_id, request.etag, by, now)
        shown = None if left is None else self._shown(left)
        await self._pipeline.durable()
        return pb.DeleteInstrumentResponse(instrument=shown)

    def _decide(
        self, request: Any, caller: Caller, act: Callable[[Operator, datetime], Instrument]
    ) -> Instrument:
        try:
            return act(caller.operator(request.reason), self._clock())
        except CellError as error:
            field = f"instrument.{reference.field_of(error.column)}"
            raise InvalidRequest([(field, error.problem)]) from None

    def _shown(self, value: Instrument) -> pb.Instrument:
        return reference.instrument(value, self._known, self._clock())

    # From CSV, and to it.

    async def import_(
        self, request: pb.ImportInstrumentsRequest, caller: Caller
    ) -> pb.ImportInstrumentsResponse:
        validate(request)
        consistency.check_import(request)
        text = await self._text(request)
        by, now, prune = caller.operator(request.reason), self._clock(), request.delete_missing
        if request.validate_only:
            done = self._imports.plan(text, now, delete_missing=prune)
        else:
            done = self._imports.take(text, by, now, delete_missing=prune)
        await self._pipeline.durable()
        return _imported(done)

    async def _text(self, request: pb.ImportInstrumentsRequest) -> str:
        if request.WhichOneof("source") == "csv":
            return request.csv.removeprefix("\ufeff")  # the mark that a spreadsheet may begin a file with
        return (await self._backup(request.backup_id)).text

    async def export(self) -> pb.ExportInstrumentsResponse:
        found = self._known.instruments()
        await self._pipeline.durable()
        return pb.ExportInstrumentsResponse(csv=write_instruments(found), count=len(found))

    async def list_backups(
        self, request: pb.ListInstrumentBackupsRequest
    ) -> pb.ListInstrumentBackupsResponse:
        validate(request)
        before = self._tokens.open_page(request.page_token, 0, str)[0] if request.page_token else ""
        size = page_size(request.page_size)
        rows = await asyncio.to_thread(self._backups.backups, before, size + 1)
        token = self._tokens.page(0, rows[size - 1].backup_id) if len(rows) > size else ""
        return pb.ListInstrumentBackupsResponse(backups=_backups(rows[:size]), next_page_token=token)

    async def get_backup(self, request: pb.GetInstrumentBackupRequest) -> pb.GetInstrumentBackupResponse:
        validate(request)
        (shown,) = _backups([await self._backup(request.backup_id)])
        return pb.GetInstrumentBackupResponse(backup=shown)

    async def _backup(self, backup_id: str) -> BackupRow:
        found = await asyncio.to_thread(self._backups.backup, backup_id)
        if found is None:
            raise UnknownBackup(backup_id)
        return found


def _imported(done: Import) -> pb.ImportInstrumentsResponse:
    return pb.ImportInstrumentsResponse(
        instruments=[
            pb.ImportedInstrument(
                line=line.line,
                instrument_id=line.instrument.instrument_id,
                outcome=enums.IMPORT_OUTCOME.number[line.outcome],
                columns=line.columns,
            )
            for line in done.lines
        ],
        problems=[
            pb.ImportProblem(line=line, column=column, problem=problem)
            for line, column, problem in done.problems
        ],
        created_count=done.count(ImportOutcome.CREATED),
        updated_count=done.count(ImportOutcome.UPDATED),
        unchanged_count=done.count(ImportOutcome.UNCHANGED),
        deleted_count=done.count(ImportOutcome.DELETED),
        backup_id=done.backup_id,
    )


def _backups(rows: Iterable[BackupRow]) -> list[pb.InstrumentBackup]:
    return [
        pb.InstrumentBackup(
            backup_id=row.backup_id,
            time=timestamp(row.time),
            principal=row.principal,
            reason=row.reason,
            count=row.count,
            csv=row.text,
        )
        for row in rows
    ]
