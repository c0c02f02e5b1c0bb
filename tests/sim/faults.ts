/** Faults as they strike and end. */
import type { Inhabitant } from './inhabitant.ts';
import type { FaultPlan } from './script.ts';
import type { Town } from './simulate.ts';

/** Schedules one fault's beginning and end. */
export function strike(fault: FaultPlan, town: Town): void {
	const { clock, network } = town.world;
	const { weather } = network;
	const living = (ids: readonly number[]) =>
		ids.map((id) => town.all.get(id)).filter((who): who is Inhabitant => who?.here === true);
	const troubled = (those: readonly Inhabitant[]) => {
		for (const who of those) who.troubledUntil = clock.monotonic();
	};
	const during = (begin: () => void, end: () => void) => {
		clock.at(fault.at, begin);
		clock.at(fault.until, end);
	};
	const one = (id: number, begin: (who: Inhabitant) => void, end: (who: Inhabitant) => void = () => undefined) =>
		during(
			() => living([id]).forEach((who) => void (town.count(fault.type), begin(who))),
			() => living([id]).forEach(end)
		);
	switch (fault.type) {
		case 'partition':
			return during(
				() => {
					town.count(fault.type);
					weather.part(new Map(living(fault.nodes).map((who) => [who.peer, 1])));
				},
				() => {
					weather.part(undefined);
					troubled(living(fault.nodes));
				}
			);
		case 'one-way':
			return during(
				() => {
					town.count(fault.type);
					for (const from of living(fault.from)) {
						for (const to of living(fault.to)) if (from !== to) weather.deafen(from.peer, to.peer);
					}
				},
				() => weather.undeafen()
			);
		case 'relay-gone':
			return during(
				() => {
					town.count(fault.type);
					weather.setRelays('down');
				},
				() => {
					weather.setRelays('up');
					troubled([...town.all.values()]);
				}
			);
		case 'slow-network':
			return during(
				() => {
					town.count(fault.type);
					weather.slow = fault.times;
				},
				() => {
					weather.slow = 1;
				}
			);
		case 'loss':
			return during(
				() => {
					town.count(fault.type);
					weather.set(fault.weather);
				},
				() => {
					weather.set(town.script.weather);
					troubled([...town.all.values()]);
				}
			);
		case 'freeze':
			return one(
				fault.node,
				(who) => who.freeze(),
				(who) => who.thaw()
			);
		case 'full-disk':
			return one(
				fault.node,
				(who) => void (who.shelves.full = true),
				(who) => void (who.shelves.full = false)
			);
		case 'break':
			return one(fault.node, (who) => [...who.node.mesh.channels].forEach((channel) => channel.abort()));
		case 'clock-jump':
			return one(fault.node, (who) => {
				who.clock.aheadMs += fault.ms;
				who.troubledUntil = clock.monotonic();
			});
		case 'stops-lending':
			return one(fault.node, (who) => who.stopLending());
	}
}
