import Testing

@testable import Kafka

struct WindowedStatisticTests {
    private func at(_ seconds: Double) -> ContinuousClock.Instant {
        beginning + .seconds(seconds)
    }

    @Test func `nothing measured is a rate of zero, and no average`() {
        let statistic = WindowedStatistic()
        #expect(statistic.rate(now: at(5)) == 0)
        #expect(statistic.average(now: at(5)).isNaN)
        #expect(statistic.maximum(now: at(5)).isNaN)
        #expect(statistic.total == 0)
    }

    @Test func `a window that is not full is taken to follow an empty one`() {
        var statistic = WindowedStatistic()
        statistic.record(100, now: at(0))
        statistic.record(20, now: at(10))
        // 120 in 10 + 30 seconds.
        #expect(statistic.rate(now: at(10)) == 3)
        #expect(statistic.countRate(now: at(10)) == 2.0 / 40)
        #expect(statistic.average(now: at(10)) == 60)
        #expect(statistic.maximum(now: at(10)) == 100)
    }

    @Test func `the window before counts until it is a minute old`() {
        var statistic = WindowedStatistic()
        statistic.record(300, now: at(0))
        statistic.record(60, now: at(30))
        #expect(statistic.rate(now: at(45)) == 360.0 / 45)
        #expect(statistic.rate(now: at(59)) == 360.0 / 59)
        #expect(statistic.maximum(now: at(59)) == 300)
        // At 60 the first has left, and the second began 30 seconds ago.
        #expect(statistic.rate(now: at(60)) == 2)
        #expect(statistic.maximum(now: at(60)) == 60)
        #expect(statistic.rate(now: at(90)) == 0)
        #expect(statistic.total == 360)
    }

    @Test func `after a pause only what is new counts`() {
        var statistic = WindowedStatistic()
        statistic.record(1000, now: at(0))
        statistic.record(6, now: at(1000))
        #expect(statistic.rate(now: at(1000)) == 6.0 / 30)
        #expect(statistic.average(now: at(1000)) == 6)
        #expect(statistic.total == 1006)
        #expect(statistic.count == 2)
    }

    @Test func `a steady stream has its own rate`() {
        var statistic = WindowedStatistic()
        for second in 0..<300 { statistic.record(50, now: at(Double(second))) }
        let rate = statistic.rate(now: at(300))
        #expect(abs(rate - 50) < 2)
    }

    @Test func `several values at once keep their average and their greatest`() {
        var statistic = WindowedStatistic()
        statistic.record(sum: 100, count: 10, maximum: 40, now: at(0))
        statistic.record(sum: 50, count: 5, maximum: 30, now: at(1))
        #expect(statistic.average(now: at(1)) == 10)
        #expect(statistic.maximum(now: at(1)) == 40)
    }
}
