internal import Glibc
internal import KafkaProtocol
internal import NIOCore
internal import NIOPosix

/// One connection to a broker: its machine, at the end of a channel.
///
/// Safe to share: everything runs on the producer's event loop.
final class BrokerConnection: ChannelInboundHandler, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    let id: BrokerID
    let address: BrokerAddress
    private let configuration: KafkaProducerConfiguration
    private let core: EngineCore
    private let eventLoop: any EventLoop
    private var machine: ConnectionStateMachine
    private var framer: FrameDecoder
    private var context: ChannelHandlerContext?
    private var timer: Scheduled<Void>?
    private var isClosed = false

    init(
        id: BrokerID,
        address: BrokerAddress,
        configuration: KafkaProducerConfiguration,
        core: EngineCore,
        eventLoop: any EventLoop
    ) {
        self.id = id
        self.address = address
        self.configuration = configuration
        self.core = core
        self.eventLoop = eventLoop
        self.machine = ConnectionStateMachine(configuration: configuration)
        self.framer = FrameDecoder(limit: configuration.maxAnswerSize)
    }

    func connect() {
        self.bootstrap()
            .connect(host: self.address.host, port: self.address.port)
            .whenFailure { self.close(reason: describe($0)) }
    }

    func send(_ request: ProducerRequest, id: RequestID, now: ContinuousClock.Instant) {
        self.machine.send(request, id: id, now: now)
        self.run()
    }

    /// Ends the connection and tells so, once.
    func close(reason: String) {
        guard !self.isClosed else { return }
        self.isClosed = true
        self.timer?.cancel()
        self.context?.close(promise: nil)
        self.context = nil
        self.core.closed(self.id, self, reason: reason)
    }

    // MARK: Channel

    func channelActive(context: ChannelHandlerContext) {
        guard !self.isClosed else { return context.close(promise: nil) }
        self.context = context
        self.machine.opened(now: .now)
        self.run()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !self.isClosed else { return }
        self.framer.append(self.unwrapInboundIn(data))
        let now = ContinuousClock.now
        do {
            while !self.isClosed, let answer = try self.framer.next() {
                // Its length goes before it.
                self.core.read(answer.readableBytes + 4, from: self.id, now: now)
                self.machine.received(answer, now: now)
                self.run()
            }
        } catch {
            self.close(reason: "\(error) (receive.message.max.bytes)")
        }
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.close(reason: "the broker closed the connection")
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.close(reason: describe(error))
    }

    // MARK: The loop

    private func run() {
        while !self.isClosed, let action = self.machine.nextAction() { self.perform(action) }
        self.setTimer()
    }

    private func perform(_ action: ConnectionStateMachine.Action) {
        switch action {
        case .write(let pieces): self.write(pieces)
        case .ready: self.core.connected(self.id, self)
        case .answered(let request, let answer): self.core.answered(request, answer)
        case .close(let reason): self.close(reason: reason)
        }
    }

    /// Header and batches go out as they are, in one writev.
    private func write(_ pieces: [ByteBuffer]) {
        let size = pieces.reduce(0) { $0 + $1.readableBytes }
        self.core.wrote(size, to: self.id, now: .now)
        for piece in pieces { self.context?.write(self.wrapOutboundOut(piece), promise: nil) }
        self.context?.flush()
    }

    /// One timer runs at a time; when it fires too early, answers having come, it is set again.
    private func setTimer() {
        guard !self.isClosed, self.timer == nil else { return }
        guard let deadline = self.machine.nextDeadline else { return }
        self.timer = self.eventLoop.scheduleTask(in: TimeAmount(deadline - .now)) {
            self.timer = nil
            self.machine.timePassed(now: .now)
            self.run()
        }
    }

    private func bootstrap() -> ClientBootstrap {
        var bootstrap = ClientBootstrap(group: self.eventLoop)
            .connectTimeout(TimeAmount(self.configuration.connectionSetupTimeout))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.socketOption(.so_keepalive), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(self)
                }
            }
        if self.configuration.sendBufferSize > 0 {
            let size = SocketOptionValue(self.configuration.sendBufferSize)
            bootstrap = bootstrap.channelOption(.socketOption(.so_sndbuf), value: size)
        }
        if self.configuration.receiveBufferSize > 0 {
            let size = SocketOptionValue(self.configuration.receiveBufferSize)
            bootstrap = bootstrap.channelOption(.socketOption(.so_rcvbuf), value: size)
        }
        return bootstrap
    }
}

/// What went wrong with a connection, without the types that carry it.
func describe(_ error: any Error) -> String {
    // NIO's own text names the system call, and has a parenthesis too many.
    if let error = error as? IOError { return String(cString: strerror(error.errnoCode)) }
    guard let error = error as? NIOConnectionError else { return "\(error)" }
    if let attempt = error.connectionErrors.last { return describe(attempt.error) }
    return error.dnsAError == nil && error.dnsAAAAError == nil
        ? "no address of \(error.host) answered" : "cannot resolve \(error.host)"
}
