import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { codeNames } from "../libs/rpc/src/handlers.ts";
import { Metrics, observePlaces, observePool, observeReadiness } from "../libs/service/src/metrics.ts";
import { check, checkText, describeWith, root } from "./testing/checkers.ts";

interface Panel {
  readonly title: string;
  readonly type: string;
  readonly gridPos: { readonly h: number; readonly w: number; readonly x: number; readonly y: number };
  readonly datasource?: { readonly uid: string };
  readonly targets?: readonly { readonly expr: string }[];
}

const dashboard = JSON.parse(readFileSync(join(root, "deploy/grafana/dashboards/graviton.json"), "utf8"));
const panels: readonly Panel[] = dashboard.panels;
const expressions = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
const alerts = readFileSync(join(root, "deploy/prometheus/alerts.yml"), "utf8");

describeWith(["promtool"], "Prometheus", () => {
  test("accepts its configuration and its alerts", () => {
    expect(check("promtool", ["check", "config", "deploy/prometheus/prometheus.yml"])).toContain("SUCCESS");
  });

  test("is quiet while all is well, and raises every alert for its fault", () => {
    expect(check("promtool", ["test", "rules", "deploy/prometheus/alerts.test.yml"])).toContain("SUCCESS");
    const tested = readFileSync(join(root, "deploy/prometheus/alerts.test.yml"), "utf8");
    const names = [...alerts.matchAll(/alert: (\w+)/g)].map(([, name]) => name);
    expect(names.filter((name) => !tested.includes(`alertname="${name}"`))).toEqual([]);
  });

  test("understands what the dashboard asks for", () => {
    const rules = expressions.map((expr, index) => ({
      record: `panel:${index}`,
      expr: expr.replaceAll("$__rate_interval", "5m").replaceAll("$job", ".*"),
    }));
    // JSON is YAML, too.
    const text = JSON.stringify({ groups: [{ name: "dashboard", rules }] });
    expect(checkText("promtool", ["check", "rules"], text)).toContain(`${rules.length} rules found`);
  });
});

test("The dashboard and the alerts ask only for metrics that processes have", async () => {
  const metrics = new Metrics({ process: "gateway", version: "0" });
  observePlaces(metrics, { taken: 0, waiting: 0 });
  observeReadiness(metrics, { ready: true });
  observePool(metrics, () => ({ busy: 0, idle: 0, waiting: 0 }));
  metrics.gauge("graviton_block_replicas", "As the gateway has it.", () => ({ known: 0, failing: 0 }));
  const known = (await metrics.registry.getMetricsAsJSON()).flatMap(({ name, type }) =>
    String(type) === "histogram" ? [`${name}_bucket`] : [name],
  );
  metrics.registry.clear();
  const asked = [...expressions, alerts].flatMap((text) => text.match(/\b(graviton|nodejs|process)_\w+/g) ?? []);
  expect(asked.length).toBeGreaterThan(panels.length / 2);
  expect([...new Set(asked)].filter((name) => !known.includes(name))).toEqual([]);
});

test("The alerts ask only for codes that calls end with", () => {
  const asked = [...alerts.matchAll(/code=~?"([^"]*)"/g)].flatMap(([, codes = ""]) => codes.split("|"));
  expect(asked).toContain("DATA_LOSS");
  expect(asked.filter((code) => !codeNames.includes(code))).toEqual([]);
});

test("Every panel has its place and asks the data source that is provisioned", () => {
  const provisioned = readFileSync(join(root, "deploy/grafana/provisioning/datasources/prometheus.yml"), "utf8");
  const asking = panels.filter(({ type }) => type !== "row");
  expect(new Set(asking.map(({ datasource }) => `uid: ${datasource?.uid}\n`)).size).toBe(1);
  expect(provisioned).toContain(`uid: ${asking[0]?.datasource?.uid}\n`);
  const cells = panels.flatMap(({ gridPos: { h, w, x, y } }) =>
    Array.from({ length: h * w }, (_, cell) => `${x + (cell % w)} ${y + Math.floor(cell / w)}`),
  );
  expect(new Set(cells).size).toBe(cells.length);
  expect(Math.max(...panels.map(({ gridPos: { w, x } }) => w + x))).toBe(24);
});
