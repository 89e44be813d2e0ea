/** What the clients of a fuzz run lived through, counted. */
export interface Figures {
  packets: number
  connections: number
  established: number
  delivered: number
  accepted: number
  acked: number
  dropped: number
  reboots: number
}

export const NO_FIGURES: Figures = {
  packets: 0,
  connections: 0,
  established: 0,
  delivered: 0,
  accepted: 0,
  acked: 0,
  dropped: 0,
  reboots: 0,
}
