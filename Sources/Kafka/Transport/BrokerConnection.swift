internal import Glibc
internal import KafkaProtocol
internal import NIOCore
internal import NIOPosix
internal import NIOSSL
internal import NIOTLS

/// Whom a connection tells what happens to it, on the event loop of both.
protocol ConnectionOwner: AnyObject {
    func connected(_ id: BrokerID, _ connection: BrokerConnection, _ support: TransactionSupport?)
    func answered(_ request: RequestID, _ answer: ProducerAnswer)
    func closed(_ id: BrokerID, _ connection: BrokerConnection, reason: String, isRefusal: Bool)
    func wrote(_ bytes: Int, to id: BrokerID, now: ContinuousClock.Instant)
    func read(_ bytes: Int, from id: BrokerID, now: ContinuousClock.Instant)
}

/// One connection to a broker: its machine, at the end of a channel.
///
/// Safe to share: everything runs on the producer's event loop.
final class BrokerConnection: ChannelInboundHandler, @unchecked Sendable {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    let id: BrokerID
    let address: BrokerAddress
    private let configuration: KafkaProducerConfiguration
    private let setupTimeout: Duration
    private let core: any ConnectionOwner
    private let security: ConnectionSecurity
    /// Nil where the connection is not encrypted.
    private let tls: TLSClient?
    private let eventLoop: any EventLoop
    private var machine: ConnectionStateMachine
    private var framer: FrameDecoder
    private var context: ChannelHandlerContext?
    private var timer: (due: ContinuousClock.Instant, task: Scheduled<Void>)?
    private var hasRead = false
    private var isClosed = false

    init(
        id: BrokerID,
        address: BrokerAddress,
        configuration: KafkaProducerConfiguration,
        setupTimeout: Duration,
        core: any ConnectionOwner,
        security: ConnectionSecurity,
        eventLoop: any EventLoop
    ) {
        self.id = id
        self.address = address
        self.configuration = configuration
        self.setupTimeout = setupTimeout
        self.core = core
        self.security = security
        self.tls = configuration.securityProtocol.usesTLS ? TLSClient(host: address.host) : nil
        self.eventLoop = eventLoop
        self.machine = ConnectionStateMachine(
            configuration: configuration,
            setupTimeout: setupTimeout,
            seed: .random(in: .min ... .max)
        )
        self.framer = FrameDecoder(limit: configuration.maxAnswerSize)
    }

    func connect() {
        do throws(KafkaProducerError) {
            let context = try self.security.tlsContext()
            self.bootstrap(context)
                .connect(host: self.address.host, port: self.address.port)
                .whenFailure { self.failed($0) }
        } catch {
            // Not at once: who asked for the connection does not expect to hear of it meanwhile.
            self.eventLoop.execute { self.close(reason: "\(error)", isRefusal: true) }
        }
    }

    func send(_ request: ProducerRequest, id: RequestID, now: ContinuousClock.Instant) {
        self.machine.send(request, id: id, now: now)
        self.run()
    }

    /// Ends the connection and tells so, once.
    func close(reason: String, isRefusal: Bool = false) {
        guard !self.isClosed else { return }
        self.isClosed = true
        self.timer?.task.cancel()
        self.context?.close(promise: nil)
        self.context = nil
        self.core.closed(self.id, self, reason: reason, isRefusal: isRefusal)
    }

    private func failed(_ error: any Error) {
        if let error = error as? IOError, [ECONNRESET, EPIPE].contains(error.errnoCode) {
            self.machine.ended("the broker reset the connection")
            return self.run()
        }
        let isOfTLS =
            error is NIOSSLError || error is NIOSSLExtraError || error is BoringSSLError
        guard let tls = self.tls, isOfTLS else { return self.close(reason: describe(error)) }
        let (reason, isRefusal) = tls.describe(error, now: wallClockSeconds())
        self.close(reason: reason, isRefusal: isRefusal)
    }

    // MARK: Channel

    func channelActive(context: ChannelHandlerContext) {
        guard !self.isClosed else { return context.close(promise: nil) }
        self.context = context
        self.machine.connected(now: .now)
        if self.tls == nil { self.machine.opened(now: .now) }
        self.run()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        if case .handshakeCompleted? = event as? TLSUserEvent, !self.isClosed {
            self.machine.opened(now: .now)
            self.run()
        }
        context.fireUserInboundEventTriggered(event)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        guard !self.isClosed else { return }
        let bytes = self.unwrapInboundIn(data)
        guard self.hasRead || self.tls != nil || !Wire.isTLS(bytes) else {
            return self.close(reason: "the port is for TLS (security.protocol)", isRefusal: true)
        }
        self.hasRead = true
        self.framer.append(bytes)
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
        guard !self.isClosed else { return }
        self.machine.ended()
        self.run()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        self.failed(error)
    }

    // MARK: The loop

    private func run() {
        while !self.isClosed, let action = self.machine.nextAction() { self.perform(action) }
        self.setTimer()
    }

    private func perform(_ action: ConnectionStateMachine.Action) {
        switch action {
        case .write(let pieces): self.write(pieces)
        case .ready: self.core.connected(self.id, self, self.machine.transactionSupport)
        case .answered(let request, let answer): self.core.answered(request, answer)
        case .getCredentials: self.getCredentials()
        case .close(let reason): self.close(reason: reason)
        case .refuse(let reason): self.close(reason: reason, isRefusal: true)
        }
    }

    private func getCredentials() {
        self.security.getCredentials { result in
            guard !self.isClosed else { return }
            switch result {
            case .success(let credentials):
                self.machine.received(credentials: credentials, nonce: makeNonce(), now: .now)
            case .failure(let error): self.machine.credentialsFailed("\(error)", now: .now)
            }
            self.run()
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
        guard !self.isClosed, let deadline = self.machine.nextDeadline else { return }
        if let timer = self.timer, timer.due <= deadline { return }
        self.timer?.task.cancel()
        let task = self.eventLoop.scheduleTask(in: TimeAmount(deadline - .now)) {
            self.timer = nil
            self.machine.timePassed(now: .now)
            self.run()
        }
        self.timer = (deadline, task)
    }

    private func bootstrap(_ context: NIOSSLContext?) -> ClientBootstrap {
        var bootstrap = ClientBootstrap(group: self.eventLoop)
            .connectTimeout(TimeAmount(self.setupTimeout))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelOption(.socketOption(.so_keepalive), value: 1)
            .channelOption(.tcpOption(.keepAliveIdle), value: 60)
            .channelOption(.tcpOption(.keepAliveInterval), value: 10)
            .channelOption(.tcpOption(.keepAliveCount), value: 3)
            .channelOption(.tcpOption(.userTimeout), value: self.userTimeout)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let pipeline = channel.pipeline.syncOperations
                    if let context, let tls = self.tls {
                        try pipeline.addHandler(tls.makeHandler(context))
                    }
                    try pipeline.addHandler(self)
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

extension BrokerConnection {
    /// In milliseconds: what was sent and not even confirmed by then is as good as not answered.
    ///
    /// A firewall that forgot the connection lets nobody know.
    private var userTimeout: SocketOptionValue {
        SocketOptionValue(self.configuration.requestTimeout / .milliseconds(1))
    }
}

extension NIOBSDSocket.Option {
    // Seconds without traffic until the other side is asked, between questions, and how many.
    fileprivate static let keepAliveIdle = Self(rawValue: TCP_KEEPIDLE)
    fileprivate static let keepAliveInterval = Self(rawValue: TCP_KEEPINTVL)
    fileprivate static let keepAliveCount = Self(rawValue: TCP_KEEPCNT)
    fileprivate static let userTimeout = Self(rawValue: TCP_USER_TIMEOUT)
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
