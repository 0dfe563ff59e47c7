internal import AgentCore
internal import CCurl

/// What the client's thread does: owns every transfer and moves them along until it is told to close.
final class CurlDriver {
    private let mailbox: CurlMailbox
    private let multi: CurlMulti
    private var transfers: [ObjectIdentifier: CurlTransfer] = [:]

    private init(_ mailbox: CurlMailbox) throws(HTTPFailure) {
        self.mailbox = mailbox
        multi = try CurlMulti(settings: mailbox.settings)
        mailbox.connect(multi)
    }

    /// The thread's body. Reports its own end last, when connections and handles are gone.
    static func run(_ mailbox: CurlMailbox) {
        mailbox.threadEnded(drive(mailbox))
    }

    private static func drive(_ mailbox: CurlMailbox) -> HTTPFailure {
        do throws(HTTPFailure) {
            let driver = try CurlDriver(mailbox)
            let end = driver.loop()
            driver.endAll(end)
            mailbox.disconnect()
            return end
        } catch {
            return error
        }
    }

    /// Returns what outstanding requests end with.
    private func loop() -> HTTPFailure {
        while true {
            let work = mailbox.takeWork()
            for exchange in work.cancelled { drop(exchange) }
            guard !work.isClosing else {
                let end = HTTPFailure(.cancelled, "the HTTP client is closed")
                for exchange in work.submitted { exchange.finish(.failure(end)) }
                return end
            }
            for exchange in work.submitted { begin(exchange) }
            do throws(HTTPFailure) {
                try multi.perform()
                deliverFinished()
                try multi.wait()
            } catch {
                return error
            }
        }
    }

    private func begin(_ exchange: CurlExchange) {
        guard !exchange.isFinished else { return }
        do throws(HTTPFailure) {
            let transfer = try CurlTransfer(exchange, settings: mailbox.settings, clocks: mailbox.clocks)
            try multi.add(transfer.easy)
            transfers[ObjectIdentifier(exchange)] = transfer
        } catch {
            exchange.finish(.failure(error))
        }
    }

    private func deliverFinished() {
        while let (easy, code) = multi.nextFinished() {
            guard let transfer = transfers.values.first(where: { $0.easy.handle == easy }) else { continue }
            let result = transfer.result(code)
            drop(transfer.exchange)
            transfer.exchange.finish(result)
        }
    }

    private func drop(_ exchange: CurlExchange) {
        guard let transfer = transfers.removeValue(forKey: ObjectIdentifier(exchange)) else { return }
        multi.remove(transfer.easy)
    }

    private func endAll(_ failure: HTTPFailure) {
        for transfer in transfers.values {
            multi.remove(transfer.easy)
            transfer.exchange.finish(.failure(failure))
        }
        transfers = [:]
    }
}

@available(*, unavailable)
extension CurlDriver: Sendable {}
