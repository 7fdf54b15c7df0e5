/**
 * The entry points over rows: `rows` does all of a row in one workgroup, its
 * gradient behind its scan, while the row is still in the cache; `blocks`,
 * `join` and `grads` do the same with a workgroup for each block of columns,
 * where there are too few rows to fill a GPU; `seal` puts shared words together.
 *
 * @module
 */

/** The entry points `rows`, `blocks`, `join`, `grads`, `seal`. */
export const ROWS_WGSL: string = /* wgsl */ `
fn isOff(job: Job) -> bool { return (job.flags & ACTIVE) == 0u; }

// nothing is read of a row that is not scored
fn emptyRecord() -> Record { return Record(0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0u); }

// marks of the label itself
fn withLabel(found: Record, job: Job) -> Record {
  var row = found;
  row.flags |= job.flags & STAMP;
  if ((job.flags & INVALID) != 0u) { row.flags |= BAD | UNKNOWN; }
  return row;
}

fn slopeFor(row: Record, job: Job) -> Slope {
  if (isOff(job) || (job.flags & SILENT) != 0u || job.factor == 0.0) { return silence(); }
  return slopeOf(row, job);
}

@compute @workgroup_size(GROUP)
fn rows(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) t: u32,
) {
  let row = group.y * P.gridWidth + group.x;
  if (row >= P.rows) { return; }
  let job = jobs[P.firstRow + row];
  let base = row * P.stride;
  var found = emptyRecord();
  if (!isOff(job)) {
    let labelLogit = gather(base, job);
    // one call: a compiler puts scanBlock wherever it is called
    for (var block = 0u; block < P.blocks; block++) {
      let part = scanBlock(base, block, job.label, labelLogit, t);
      if (block == 0u) { found = part; } else { found = merge(found, part); }
    }
  }
  found = withLabel(found, job);
  if (t == 0u) { records[P.firstRow + row] = found; }
  if (GRADIENT) {
    // all of the row has been read before any of it is overwritten
    storageBarrier();
    let slope = slopeFor(found, job);
    for (var block = 0u; block < P.blocks; block++) {
      writeBlock(row, base, block, slope, t);
    }
  }
}

@compute @workgroup_size(GROUP)
fn blocks(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) t: u32,
) {
  let row = group.z * P.gridWidth + group.y;
  if (row >= P.rows) { return; }
  let job = jobs[P.firstRow + row];
  if (isOff(job)) { return; }
  let base = row * P.stride;
  let found = scanBlock(base, group.x, job.label, gather(base, job), t);
  if (t == 0u) { parts[(P.firstRow + row) * P.blocks + group.x] = found; }
}

// a thread for each row
fn rowOf(group: vec3<u32>, groups: vec3<u32>, t: u32) -> u32 {
  return (group.y * groups.x + group.x) * 64u + t;
}

@compute @workgroup_size(64)
fn join(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) t: u32,
) {
  let row = rowOf(group, groups, t);
  if (row >= P.rows) { return; }
  let job = jobs[P.firstRow + row];
  var found = emptyRecord();
  if (!isOff(job)) {
    let at = (P.firstRow + row) * P.blocks;
    found = parts[at];
    for (var block = 1u; block < P.blocks; block++) {
      found = merge(found, parts[at + block]);
    }
  }
  records[P.firstRow + row] = withLabel(found, job);
}

@compute @workgroup_size(GROUP)
fn grads(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(local_invocation_index) t: u32,
) {
  let row = group.z * P.gridWidth + group.y;
  if (row >= P.rows) { return; }
  let slope = slopeFor(records[P.firstRow + row], jobs[P.firstRow + row]);
  writeBlock(row, row * P.stride, group.x, slope, t);
}

@compute @workgroup_size(64)
fn seal(
  @builtin(workgroup_id) group: vec3<u32>,
  @builtin(num_workgroups) groups: vec3<u32>,
  @builtin(local_invocation_index) t: u32,
) {
  let row = rowOf(group, groups, t);
  if (row < P.rows) { stitch(row); }
}
`;
