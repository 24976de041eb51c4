/** Whose turn it is: little before much, and nobody is kept from its visit. */

import { expect, test } from 'vitest';
import { RoundRobin } from '../../../../core/broker/engine/round-robin.ts';

interface Member {
  readonly name: string;
}

/** Serves so many visits; each member asks again at once. */
function serve(
  rounds: RoundRobin<Member>,
  visits: number,
  {
    isSmall = () => false,
    used = () => 1,
  }: {
    isSmall?: (member: Member) => boolean;
    used?: (member: Member) => number;
  } = {},
): string[] {
  return Array.from({ length: visits }, () => {
    const member = rounds.take();
    if (member === undefined) return '';
    rounds.use(member, used(member));
    rounds.add(member, isSmall(member));
    return member.name;
  });
}

const members = (count: number): Member[] =>
  Array.from({ length: count }, (_, index) => ({ name: `${index}` }));

test('those that ask much are served one visit each in a round', () => {
  const rounds = new RoundRobin<Member>();
  for (const member of members(3)) rounds.add(member, false);
  expect(serve(rounds, 7)).toEqual(['0', '1', '2', '0', '1', '2', '0']);
});

test('who asks little goes first, also before those that were not served yet', () => {
  const rounds = new RoundRobin<Member>();
  for (const member of members(3)) rounds.add(member, false);
  rounds.add({ name: 'small' }, true);
  expect(rounds.take()?.name).toBe('small');
});

test('who asks little again and again keeps nobody from a visit', () => {
  const rounds = new RoundRobin<Member>();
  for (const member of members(3)) rounds.add(member, false);
  rounds.add({ name: 'small' }, true);
  const served = serve(rounds, 40, { isSmall: ({ name }) => name === 'small' });
  for (const name of ['0', '1', '2']) expect(served.filter((one) => one === name)).not.toEqual([]);
});

test('what one used at once all may use in that round', () => {
  const rounds = new RoundRobin<Member>();
  rounds.add({ name: 'heavy' }, false);
  serve(rounds, 1, { used: () => 16 });
  const modest = { name: 'modest' };
  rounds.add(modest, false);
  expect(serve(rounds, 15, { used: ({ name }) => (name === 'heavy' ? 16 : 1) })).not.toContain(
    'heavy',
  );
});

test('who asks for more keeps its place', () => {
  const rounds = new RoundRobin<Member>();
  const [one, other] = members(2) as [Member, Member];
  rounds.add(one, true);
  rounds.add(other, true);
  rounds.add(one, true);
  expect(rounds.take()).toBe(one);
});

test('of those that ask much the next can be taken before those that ask little', () => {
  const rounds = new RoundRobin<Member>();
  rounds.add({ name: 'small' }, true);
  rounds.add({ name: 'large' }, false);
  expect(rounds.takeLarge()?.name).toBe('large');
  expect(rounds.takeLarge()).toBeUndefined();
  expect(rounds.take()?.name).toBe('small');
});
