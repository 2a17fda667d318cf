internal import Checkpointing
internal import FileTailing
internal import Kafka
internal import RecordProcessing

/// One file on its way through a lane.
final class LaneSource {
    // Safe: its lane's thread alone has it, and nothing of it is handed out while it is changed but
    // `context`, which only the processor sees meanwhile.

    /// How many places are remembered besides the last, and how far apart in time.
    private static let waypointLimit = 8
    private static let waypointInterval: Duration = .milliseconds(100)

    let id: Int
    let pipelineIndex: Int
    let endsAtEndOfFile: Bool
    /// Where its reading began.
    let firstOffset: Int64
    let place: FilePlace
    private let owner: String?
    private var framerVersion: Int64
    private(set) var key: FileKey
    @exclusivity(unchecked) var tail: TailStateMachine
    @exclusivity(unchecked) var framer: LineFramer
    @exclusivity(unchecked) var file: TailedFile?
    @exclusivity(unchecked) var frontier = AckFrontier()
    @exclusivity(unchecked) var context: FileContext
    /// What the checkpoint database says of the file; its checkpoint is the frontier's.
    @exclusivity(unchecked) var row: FileCheckpoint
    /// Sends of the next line that a turn without memory has made already.
    @exclusivity(unchecked) var sendsDone = 0
    /// And its dead letters.
    @exclusivity(unchecked) var lettersDone = 0
    /// Lines that must be there still when reading comes to them.
    @exclusivity(unchecked) var known = KnownLines()
    /// What tells readers of the log where a record is from.
    @exclusivity(unchecked) private(set) var positionHeader: PositionHeader?
    private var headerBytes: UnsafeMutableRawBufferPointer?
    /// How often records of the file began anew to tell where they are from.
    private var rowNumber: UInt32 = 0
    /// What was sent before the last start and lies before what is read; nil beyond that.
    @exclusivity(unchecked) var coverage: FileCoverage?
    /// Lines that earlier texts of the pipeline make records of.
    @exclusivity(unchecked) private var zones: [FileCoverage.Zone] = []
    /// Where the next event is known to begin, if that is behind bytes that are none.
    @exclusivity(unchecked) var nextLine: Int64 = 0
    /// The first reading, until it is done.
    var rehearsal: Rehearsal?
    /// It is not known yet of every batch whether Kafka has it.
    var isWaitingForRecovery = false
    /// The end of what must not be read again before anything else is read.
    ///
    /// Only time has ended the last event, and another reading could give it more lines; or what
    /// comes is not what was sent of this place.
    private var heldAt: Int64?
    /// Where the last commit stands.
    private(set) var committed: CommittedPlace
    /// Records that Kafka has refused in transactions that were aborted for them.
    @exclusivity(unchecked) var refused: [RecordPlace: KnownRefusal] = [:]
    /// Sends of the line that was begun which are not made, for they were refused before.
    private var sendsPassedOver = 0
    /// A line that cannot be finished, and must not be begun.
    @exclusivity(unchecked) var knownStop: (offset: Int64, reason: String)?
    /// Topics without which no line is begun.
    @exclusivity(unchecked) var neededTopics: Set<String> = []
    /// What is read from here on is not what was read there before.
    private(set) var mustBeginGeneration = false
    /// Where the file ended after a crash, when more had been sent of it.
    private var cutAt: Int64?
    /// Nothing more is read, for a person has to mend something.
    var isStopped = false
    /// Where the file goes on when it is read to its end here.
    var next: Continuation?
    /// Another file that must be read as far as it goes before this one.
    var after: Int?
    /// The file's bytes end here, before some that are on their way: they are in a copy.
    private var end: Checkpoint?
    @exclusivity(unchecked) private var settledOnDisk: Int64 = 0
    /// Whether it was said that its compressed content is damaged.
    var isKnownDamaged = false
    @exclusivity(unchecked) private var waypoints: [TailPosition] = []
    @exclusivity(unchecked) private var lastWaypoint: ContinuousClock.Instant?
    @exclusivity(unchecked) private var readCheckpoint: Checkpoint
    /// What the checkpoint database knows the file's beginning by.
    @exclusivity(unchecked) private var savedHead: HeadFingerprint
    /// What it began with when that was last looked at, to be compared at the next look.
    @exclusivity(unchecked) private var forgottenHead = HeadFingerprint.empty
    /// How often its first bytes became others before any of them was read.
    @exclusivity(unchecked) private var headChanges = 0
    /// The file begins otherwise, or more of its beginning is known: after a crash it would be taken
    /// for another one, or another one for it.
    @exclusivity(unchecked) private(set) var isUnrecognizable = false
    /// When growth was seen of which nothing is read yet.
    @exclusivity(unchecked) private var grownSince: ContinuousClock.Instant?
    /// When what ends at an offset was seen first, for what is read and not settled.
    @exclusivity(unchecked) private var readSince: [(end: Int64, time: ContinuousClock.Instant)] =
        []

    /// - Parameter owner: who `forktail.position` says that the records are from; nil for none.
    init(
        _ assignment: LaneAssignment,
        pipeline: LoadedPipeline,
        chunkLength: Int,
        owner: String? = nil
    ) {
        id = assignment.id
        pipelineIndex = assignment.pipeline
        endsAtEndOfFile = assignment.endsAtEndOfFile
        firstOffset = assignment.position.offset
        row = assignment.row
        framerVersion = assignment.version
        place = assignment.place
        after = assignment.after
        key = FileKey(device: row.device, inode: row.inode)
        file = assignment.file
        readCheckpoint = row.checkpoint
        savedHead = HeadFingerprint(hash: row.headHash, length: row.headLength)
        let state = LineFramer.State(rawValue: row.checkpoint.framerState) ?? .event
        framer = pipeline.makeFramer(
            state: assignment.startsInsideLine ? .skippingLine : state,
            line: row.checkpoint.line
        )
        context = pipeline.makeContext(row: row)
        tail = TailStateMachine(
            position: assignment.position,
            configuration: pipeline.tailConfiguration(
                endsAtEndOfFile: endsAtEndOfFile,
                chunkLength: chunkLength
            ),
            size: assignment.size,
            isOpen: assignment.file != nil
        )
        if endsAtEndOfFile { tail.finishAtEnd() }
        committed = CommittedPlace(
            checkpoint: Checkpoint(
                offset: assignment.position.offset,
                line: row.checkpoint.line,
                framerState: framer.state.rawValue,
                guardBytes: assignment.position.guardBytes
            ),
            header: row.header,
            after: after
        )
        self.owner = owner
        makePositionHeader()
        publishPlace()
    }

    deinit { headerBytes?.deallocate() }

    // MARK: Places

    private func makePositionHeader() {
        guard let owner, row.id != FileCheckpoint.unregisteredID else { return }
        headerBytes?.deallocate()
        let prefix = Array("\(owner)/\(row.id)/\(row.generation)/".utf8)
        let bytes = UnsafeMutableRawBufferPointer.allocate(byteCount: prefix.count, alignment: 1)
        bytes.copyBytes(from: prefix)
        headerBytes = bytes
        positionHeader = PositionHeader(
            source: 0,
            // Safe: the bytes live as long as this, and records are copied while it does.
            prefix: UnsafeRawBufferPointer(bytes)
        )
        beginRow()
    }

    /// Lets the next record of each batch say where it is from: some were passed over, so nobody can
    /// count from the one before it.
    func beginRow() {
        rowNumber &+= 1
        positionHeader?.source = UInt64(id) << 32 | UInt64(rowNumber)
    }

    /// Whether its reading cannot go on yet.
    var mustWait: Bool { isWaitingForRecovery || heldAt != nil }

    /// Reads no further until nobody will read again what was read.
    func holdHere() {
        guard row.id != FileCheckpoint.unregisteredID else { return }
        heldAt = readCheckpoint.offset
    }

    /// Whether what its descriptor reads can be opened by a name as well.
    var hasName: Bool { ((try? file?.status().links) ?? 1) > 0 }

    /// Whether some of what was read is not committed.
    var isUncommitted: Bool { committed.checkpoint.offset != tail.position.offset }

    /// Whether a line is sent in part.
    var isInsideLine: Bool { sendsDone > sendsPassedOver || lettersDone > 0 }

    /// The next line begins with its first send.
    func endLine() {
        sendsDone = 0
        lettersDone = 0
        sendsPassedOver = 0
    }

    /// Whether a send is left out, for the record was refused before.
    func passesOver(_ place: RecordPlace, _ fate: Fate) -> Bool {
        if refused.isEmpty { return false }
        if case .deadLettered = fate { return false }
        guard refused[place] != nil else { return false }
        sendsDone += 1
        sendsPassedOver += 1
        return true
    }

    /// Why a record of a line was refused before.
    func refusal(ofLineAt offset: Int64, _ fate: Fate) -> KnownRefusal? {
        if refused.isEmpty { return nil }
        if case .deadLettered = fate { return nil }
        let answer = RecordPlace.wholeLine(at: offset)
        return refused.first { $0.key.offset == offset && $0.key != answer }?.value
    }

    /// Takes what was read for committed.
    func noteCommit() {
        if isUncommitted { committed.checkpoint = readCheckpoint }
        committed.header = context.header
        committed.after = after
        committed.isStopped = isStopped
        if refused.isEmpty { return }
        let offset = committed.checkpoint.offset
        refused = refused.filter { $0.key.offset >= offset }
    }

    /// Reads again from the last commit on.
    func goBack(pipeline: LoadedPipeline) {
        let place = committed.checkpoint
        endLine()
        known = KnownLines()
        frontier.restart()
        framer = pipeline.makeFramer(
            state: LineFramer.State(rawValue: place.framerState) ?? .event,
            line: place.line
        )
        context.header = committed.header
        nextLine = 0
        readCheckpoint = place
        row.checkpoint = place
        readSince.removeAll()
        waypoints.removeAll { $0.offset > place.offset }
        publishPlace()
    }

    /// Notes that a turn ended within a line, of which some records may be made.
    func noteInterruption(_ line: UnsafeRawBufferPointer) {
        if known.isEmpty, sendsDone + lettersDone > 0 { known.append(line) }
    }

    /// Lets what comes from a place on be another generation, as soon as nobody will read again
    /// what was read.
    func replaceRest(from offset: Int64, isJournaled: Bool) {
        mustBeginGeneration = true
        cutAt = nil
        known = KnownLines()
        endLine()
        let isBehind = row.checkpoint.offset < offset || !frontier.isEmpty
        if isJournaled, isBehind { heldAt = offset }
    }

    /// Whether what comes can be another generation at once, for nobody will read again what was read.
    var isReplaced: Bool {
        let isRead = rehearsal == nil && !isWaitingForRecovery && !isStopped
        return mustBeginGeneration && isRead && frontier.isEmpty
            && row.checkpoint.offset >= (heldAt ?? 0)
    }

    /// Whether it is a copy that ends before what was read, so that nothing is left to read.
    var isReadUp: Bool { mustBeginGeneration && end != nil }

    /// Notes that the checkpoint is durable; whether reading goes on by that.
    func noteSaved() -> Bool {
        savedHead = HeadFingerprint(hash: row.headHash, length: row.headLength)
        isUnrecognizable = false
        guard let heldAt, row.checkpoint.offset >= heldAt,
            frontier.isEmpty || !mustBeginGeneration
        else { return false }
        self.heldAt = nil
        return true
    }

    /// From here on the bytes at places that were read before may be others.
    func beginGeneration() {
        row.generation += 1
        mustBeginGeneration = false
        if frontier.isEmpty { end = nil }
        coverage = nil
        makePositionHeader()
    }

    /// Takes what is known at last of the batches that were sent before the start.
    func take(_ coverage: FileCoverage?) {
        self.coverage = coverage
        zones = coverage?.zones ?? []
    }

    /// The text that makes the records of a line; nil for that of today.
    func version(at offset: Int64) -> Int64? {
        if zones.isEmpty { return nil }
        return zones.first { offset <= $0.through.offset }?.pipelineVersion
    }

    /// The last line that the text makes records of which does so at an offset.
    func lastLine(before offset: Int64) -> Int64 {
        if zones.isEmpty { return .max }
        let last = zones.first { offset <= $0.through.offset }?.through.offset ?? .max
        return min(last, cutAt.map { $0 - 1 } ?? .max)
    }

    /// The file ends before something that was sent of it: what comes there is something else.
    func isCut(at offset: Int64) { cutAt = offset }

    /// Whether all that is left of what was sent is read.
    var isReadToCut: Bool { cutAt.map { tail.position.offset >= $0 } ?? false }

    /// Cuts the file as a text says, from where reading stands.
    func framer(for maker: PipelineMaker) -> LineFramer {
        guard maker.version != framerVersion else { return framer }
        framerVersion = maker.version
        framer = maker.pipeline.makeFramer(state: framer.state, line: framer.line)
        return framer
    }

    func rename(to path: String) {
        row.path = path
        // Nothing was made of it under its former name, now or before a crash.
        let isUnread = readCheckpoint.offset == 0 && rehearsal == nil && coverage == nil
        guard isUnread, !isWaitingForRecovery else { return }
        row.firstPath = path
        context.path = path
    }

    /// Goes on where the file's bytes are now.
    func move(to continuation: Continuation, end: TailPosition?) {
        key = continuation.key
        file = continuation.file
        row.device = key.device
        row.inode = key.inode
        row.birthTime = continuation.birthTime
        rename(to: continuation.path)
        self.end = end.map {
            Checkpoint(
                offset: $0.offset,
                line: readCheckpoint.line,
                framerState: readCheckpoint.framerState,
                guardBytes: $0.guardBytes
            )
        }
        if let end = self.end, end.offset < committed.checkpoint.offset {
            committed.checkpoint = end
        }
        if let end = self.end, end.offset < readCheckpoint.offset {
            readCheckpoint = end
            waypoints.removeAll { $0.offset > end.offset }
            if end.offset < row.checkpoint.offset { row.checkpoint = end }
            forgetUnreadHead()
            extendHead(from: file)
        }
        publishPlace()
    }

    /// The first bytes of the file, which may tell its byte order.
    var firstBytes: [UInt8] { (try? file?.head(4)) ?? [] }

    /// How many more bytes on disk are settled with a checkpoint that the frontier has reached.
    func bytesOnDisk(through reached: Checkpoint) -> Int64 {
        guard let decoded = file?.compressedOffset else {
            return reached.offset - row.checkpoint.offset
        }
        let share = Double(reached.offset) / Double(max(1, tail.position.offset))
        let settled = Int64(Double(decoded) * min(share, 1))
        defer { settledOnDisk = max(settledOnDisk, settled) }
        return max(0, settled - settledOnDisk)
    }

    /// Takes over what the frontier has reached, as far as the file has it.
    func settle(through reached: Checkpoint) {
        if let end, reached.offset > end.offset {
            row.checkpoint = end
        } else {
            row.checkpoint = reached
        }
        let settled = readSince.prefix { $0.end <= reached.offset }.count
        readSince.removeFirst(settled)
    }

    /// Notes where reading stands after a turn.
    func passed(_ checkpoint: Checkpoint, now: ContinuousClock.Instant) {
        if lastWaypoint.map({ now - $0 >= Self.waypointInterval }) ?? true {
            let before = readCheckpoint
            lastWaypoint = now
            waypoints.append(TailPosition(offset: before.offset, guardBytes: before.guardBytes))
            if waypoints.count > Self.waypointLimit { waypoints.removeFirst() }
        }
        readSince.append((checkpoint.offset, grownSince ?? now))
        forgetUnreadHead()
        readCheckpoint = checkpoint
        extendHead(from: file)
        publishPlace()
    }

    func noteGrowth(now: ContinuousClock.Instant) {
        if grownSince == nil { grownSince = now }
    }

    /// Everything that is there has been read.
    func noteCaughtUp() { grownSince = nil }

    /// Since when the oldest byte that is not settled is there, as far as was seen.
    var unsettledSince: ContinuousClock.Instant? { readSince.first?.time ?? grownSince }

    /// Whether nothing of it is in a batch, so that its first bytes may become others.
    var isUnsent: Bool {
        tail.position.offset == 0 && rehearsal == nil && !isWaitingForRecovery && coverage == nil
            && known.isEmpty
    }

    /// Looks at the head again, as long as nothing is read.
    func renewHead(in file: TailedFile?) {
        guard let file else { return }
        forgetUnreadHead()
        extendHead(from: file)
        publishPlace()
    }

    // What is not read yet may be rewritten before it is, and there is no guard to show that.
    private func forgetUnreadHead() {
        guard readCheckpoint.offset < row.headLength || readCheckpoint.offset == 0 else { return }
        if row.headLength > 0 {
            forgottenHead = HeadFingerprint(hash: row.headHash, length: row.headLength)
        }
        row.headLength = HeadFingerprint.empty.length
        row.headHash = HeadFingerprint.empty.hash
    }

    private func publishPlace() {
        place.set(
            FilePlace.Value(
                key: key,
                checkpoint: readCheckpoint,
                header: context.header,
                head: HeadFingerprint(hash: row.headHash, length: row.headLength),
                waypoints: waypoints,
                headChanges: headChanges
            )
        )
    }

    /// The row as it shall be written now.
    func rowToSave() -> FileCheckpoint {
        row.header = context.header
        return row
    }

    /// Takes more of the file's head, until it is known in full: what is read of it, or as long as
    /// that is nothing, what is there.
    private func extendHead(from file: TailedFile?) {
        guard row.headLength < HeadFingerprint.fullLength, let evidence = try? file?.evidence()
        else { return }
        // Not if it begins with other bytes: it was rewritten, and that is not noticed yet.
        let head = HeadFingerprint(hash: row.headHash, length: row.headLength)
        guard evidence.key == key, head.holds(for: evidence.head) else { return }
        if !forgottenHead.holds(for: evidence.head) { headChanges += 1 }
        forgottenHead = .empty
        let read = Int(clamping: readCheckpoint.offset)
        let fingerprint = HeadFingerprint(of: evidence.head.prefix(read > 0 ? read : .max))
        row.headHash = fingerprint.hash
        row.headLength = fingerprint.length
        let isKnown = savedHead.length >= fingerprint.length && savedHead.holds(for: evidence.head)
        if read > 0, !isKnown { isUnrecognizable = true }
    }

    /// The name of one of this file's chunks, as batches carry it.
    ///
    /// 2²⁴ files and 2⁴⁰ chunks of each fit.
    func owner(of chunk: AckFrontier.ChunkID) -> UInt64 {
        UInt64(id) << 40 | chunk.rawValue & (1 << 40 - 1)
    }

    static func parts(of owner: UInt64) -> (source: Int, chunk: AckFrontier.ChunkID) {
        (Int(owner >> 40), AckFrontier.ChunkID(rawValue: owner & (1 << 40 - 1)))
    }
}
