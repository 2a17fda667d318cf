internal import Glibc
internal import KafkaProtocol
internal import Logging
internal import NIOCore
internal import NIOSSL

/// Joins the machine to sockets and the clock, all on one event loop.
final class BrokerShell {
    var machine: BrokerStateMachine
    /// Connections that were opened, those that are closed again too.
    private(set) var connectionCount = 0
    private let loop: any EventLoop
    private let listeners: NodeListeners
    private let logger = Logger(label: "forktail.broker")
    private var journal: JournalFile?
    private var channels: [BrokerStateMachine.ConnectionID: any Channel] = [:]
    private var timer: Scheduled<Void>?
    private var isRunning = false
    /// Whether a change could not be written, which nobody may hear of.
    private var hasFailed = false
    /// Called once, when the journal cannot be written.
    var onFailure: (any Error) -> Void = { _ in }
    /// Done when all ports are open that were to be opened.
    private(set) var opening: EventLoopFuture<Void>

    init(_ machine: BrokerStateMachine, loop: any EventLoop, listeners: NodeListeners) {
        self.machine = machine
        self.loop = loop
        self.listeners = listeners
        self.opening = loop.makeSucceededVoidFuture()
        self.machine.setClock(milliseconds: wallClockMilliseconds(), now: .now)
    }

    /// Encrypts connections from now on.
    func encrypt(by context: NIOSSLContext) {
        self.listeners.tls = context
    }

    /// Takes back what is kept in a folder, and keeps there what changes from now on.
    func keep(in folder: String) throws {
        guard self.journal == nil else { return }
        let journal = try JournalFile(folder: folder)
        var rest = 0
        try journal.read { buffer in
            try self.machine.restore(from: &buffer, now: .now)
            rest = buffer.readableBytes
        }
        if rest > 0 {
            self.logger.warning("left out what was cut off", metadata: ["bytes": "\(rest)"])
        }
        self.machine.keepJournal(now: .now)
        try journal.replace(with: self.machine.snapshot(isStopped: false, now: .now))
        self.journal = journal
        self.update { _, _ in }
    }

    /// Writes everything to the disk, for an orderly end.
    func finishJournal() throws {
        defer { self.journal = nil }
        try self.journal?.replace(with: self.machine.snapshot(isStopped: true, now: .now))
    }

    /// Without a journal nothing may be acknowledged any more.
    private func write(_ frame: ByteBuffer) {
        do {
            try self.journal?.append(frame)
        } catch {
            guard !self.hasFailed else { return }
            self.logger.error("the broker stops", metadata: ["reason": "\(error)"])
            self.hasFailed = true
            self.closeAll()
            self.onFailure(error)
        }
    }

    /// Opens the ports of all nodes that are up and tells which they are.
    func listen() -> EventLoopFuture<[Int]> {
        let bound = NIOLoopBound(self, eventLoop: self.loop)
        let ports = self.machine.configuration.nodes.filter(\.isUp).map { node in
            self.listeners.open(node.id, port: Int(node.port), for: self).map { port in
                bound.value.machine.setPort(Int32(port), ofNode: node.id)
                return port
            }
        }
        return EventLoopFuture.whenAllSucceed(ports, on: self.loop)
    }

    func opened(_ channel: any Channel, at node: Int32) -> BrokerStateMachine.ConnectionID {
        let id = BrokerStateMachine.ConnectionID(number: self.connectionCount + 1)
        self.connectionCount += 1
        self.channels[id] = channel
        self.update { machine, _ in machine.connectionOpened(id, node: node) }
        return id
    }

    func closed(_ id: BrokerStateMachine.ConnectionID) {
        self.channels[id] = nil
        self.update { machine, _ in machine.connectionClosed(id) }
    }

    /// Closes all ports and connections.
    func closeAll() {
        self.listeners.closeAll()
        for channel in self.channels.values { channel.close(promise: nil) }
    }

    /// Tells the machine something, and does what it then wants.
    func update(_ tell: (inout BrokerStateMachine, ContinuousClock.Instant) -> Void) {
        tell(&self.machine, .now)
        // A closed channel tells of it while actions are performed.
        guard !self.isRunning else { return }
        self.isRunning = true
        while let action = self.machine.nextAction(now: .now) { self.perform(action) }
        self.isRunning = false
        self.setTimer()
    }

    private func perform(_ action: BrokerStateMachine.Action) {
        switch action {
        case .journal(let frame): self.write(frame)
        case .send where self.hasFailed: break
        case .send(let id, let pieces):
            for piece in pieces { self.channels[id]?.write(piece, promise: nil) }
            self.channels[id]?.flush()
        case .close(let id, _): self.channels[id]?.close(promise: nil)
        case .stopListening(let node): self.listeners.close(node)
        case .listen(let node):
            let port = self.machine.configuration.nodes.first { $0.id == node }?.port ?? 0
            let opened = self.listeners.open(node, port: Int(port), for: self)
            self.opening = self.opening.and(opened).map { _, _ in }
        }
    }

    private func setTimer() {
        self.timer?.cancel()
        self.timer = nil
        guard let deadline = self.machine.nextDeadline else { return }
        let wait = max(.zero, deadline - .now)
        let bound = NIOLoopBound(self, eventLoop: self.loop)
        self.timer = self.loop.scheduleTask(in: TimeAmount(wait) + .milliseconds(1)) {
            bound.value.update { _, _ in }
        }
    }
}

/// Hands a connection's requests to the shell.
final class BrokerConnectionHandler: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer

    private let shell: BrokerShell
    private let node: Int32
    private var decoder: FrameDecoder
    private var id: BrokerStateMachine.ConnectionID?

    init(_ shell: BrokerShell, node: Int32, requestLimit: Int) {
        self.shell = shell
        self.node = node
        self.decoder = FrameDecoder(limit: requestLimit)
    }

    func channelActive(context: ChannelHandlerContext) {
        self.id = self.shell.opened(context.channel, at: self.node)
    }

    func channelInactive(context: ChannelHandlerContext) {
        if let id = self.id { self.shell.closed(id) }
        self.id = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        self.decoder.append(self.unwrapInboundIn(data))
        do {
            while let id = self.id, let frame = try self.decoder.next() {
                self.shell.update { machine, now in machine.received(frame, from: id, now: now) }
            }
        } catch {
            context.close(promise: nil)
        }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }
}

private func wallClockMilliseconds() -> Int64 {
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
}
