import { existsSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { fallbackOf, settings } from "../libs/service/src/settings.ts";
import { check, checkText, describeWith, parseYaml, root } from "./testing/checkers.ts";
import { faultsOf, processOf, secretVariables } from "./testing/environment.ts";

/** As much of a resource of Kubernetes as is looked at here. */
interface Resource {
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly labels?: Labels };
  // biome-ignore lint/suspicious/noExplicitAny: every kind has a shape of its own, which kubernetes-validate has checked
  readonly spec: any;
  readonly data?: Readonly<Record<string, string>>;
}

type Labels = Readonly<Record<string, string>>;

interface Pod {
  readonly name: string;
  readonly kind: string;
  readonly labels: Labels;
  readonly workload: Resource;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  readonly spec: any;
  // biome-ignore lint/suspicious/noExplicitAny: as above
  readonly container: any;
}

const services = ["block-service", "gateway", "kv-service", "manifest-service", "object-service"];

/** Everybody who may open a connection to whom, in words. What the overlays add stands with them. */
const arrows = [
  "Prometheus -> every pod:9480-9484",
  "a namespace with graviton-access -> gateway:7480",
  "a namespace with graviton-access -> gateway:8480",
  "every pod -> DNS:53",
  "gateway -> block-service:7481",
  "gateway -> kv-service:7483",
  "gateway -> manifest-service:7482",
  "gateway -> object-service:7484",
];

const overlays = [
  { overlay: "dev", processes: services, arrows },
  {
    overlay: "production",
    processes: [...services, "migrate"].sort(),
    arrows: [
      ...arrows,
      "block-service -> S3:9000",
      "object-service -> S3:9000",
      "manifest-service -> Postgres:5432",
      "migrate -> Postgres:5432",
    ].sort(),
  },
] as const;

for (const { overlay, processes, arrows } of overlays) {
  describeWith(["kustomize", "kubernetesValidate", "python"], `The overlay ${overlay}`, () => {
    const text = check("kustomize", ["build", `k8s/overlays/${overlay}`]);
    const resources = parseYaml<Resource>(text);
    const pods = resources.flatMap(podsOf);

    test.each(["1.32.0", "1.37.0"])("has only what Kubernetes %s knows", (version) => {
      checkText("kubernetesValidate", ["--strict", "--kubernetes-version", version], text);
    });

    test("runs each process, as a service account of its own", () => {
      expect(pods.map(({ name }) => name).sort()).toEqual(processes);
      expect(pods.map(({ container }) => processOf(container.args)).sort()).toEqual(processes);
      expect(pods.filter(({ container }) => !existsSync(join(root, container.args[0])))).toEqual([]);
      expect(pods.map(({ spec }) => spec.serviceAccountName).sort()).toEqual(processes);
      expect(named("ServiceAccount")).toEqual(processes);
    });

    test.each(pods)("gives $name an environment that it accepts", ({ container }) => {
      expect(faultsOf(processOf(container.args), environmentOf(container))).toEqual([]);
    });

    test.each(pods)(
      "runs $name as the standard `restricted` asks, without a token and without service links",
      (pod) => {
        expect(pod.spec).toMatchObject({
          automountServiceAccountToken: false,
          enableServiceLinks: false,
          securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: "RuntimeDefault" } },
        });
        expect(pod.spec.containers).toHaveLength(1);
        expect(pod.container.securityContext).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ["ALL"] },
        });
        expect(pod.container.resources).toMatchObject({
          requests: { cpu: expect.any(String), memory: expect.any(String) },
          limits: { memory: expect.any(String) },
        });
        const unsafe = ["hostNetwork", "hostPID", "hostIPC", "hostUsers", "initContainers", "ephemeralContainers"];
        expect(Object.keys(pod.spec).filter((field) => unsafe.includes(field))).toEqual([]);
      },
    );

    test("asks for that standard in its namespace", () => {
      const [namespace] = resources.filter(({ kind }) => kind === "Namespace");
      expect(namespace?.metadata.labels).toMatchObject({ "pod-security.kubernetes.io/enforce": "restricted" });
    });

    test.each(pods)("mounts in $name only volumes that there are, and no more than those", (pod) => {
      const claims = (pod.workload.spec.volumeClaimTemplates ?? []) as Resource[];
      const volumes = [...(pod.spec.volumes ?? []), ...claims.map(({ metadata }) => metadata)];
      expect(pod.spec.volumes.filter((volume: object) => "hostPath" in volume)).toEqual([]);
      expect(namesOf(pod.container.volumeMounts)).toEqual(namesOf(volumes));
      expect(pod.container.volumeMounts.some(({ mountPath }: { mountPath: string }) => mountPath === "/tmp")).toBe(
        pod.name !== "migrate",
      );
    });

    test("holds no secret", () => {
      expect(named("Secret")).toEqual([]);
      expect(text).not.toMatch(/:\/\/[^\s/]*:[^\s/]*@/);
      const given = pods.flatMap(({ container }) => Object.keys(environmentOf(container)));
      expect(given.filter((name) => secretVariables.includes(name))).toEqual([]);
    });

    test.each(pods.filter(({ kind }) => kind !== "Job"))(
      "asks $name how it is where it answers",
      ({ name, container }) => {
        const process = processOf(container.args);
        const ports = Object.fromEntries(
          container.ports.map((port: { name: string; containerPort: number }) => [
            port.name,
            String(port.containerPort),
          ]),
        );
        expect(ports).toEqual({
          grpc: fallbackOf(settings.grpcPort, process),
          admin: fallbackOf(settings.adminPort, process),
          ...(name === "gateway" ? { http: fallbackOf(settings.httpPort, process) } : {}),
        });
        // Readiness is the backend's; that the process lives must not be.
        expect(container.readinessProbe.grpc).toEqual({ port: Number(ports.grpc) });
        expect(container.livenessProbe.httpGet).toEqual({ path: "/healthz", port: "admin" });
        expect(container.startupProbe.httpGet).toEqual({ path: "/healthz", port: "admin" });
      },
    );

    test("leads every port of a Service to a port of the pods behind it", () => {
      const all = resources.filter(({ kind }) => kind === "Service");
      expect(all.map(({ metadata }) => metadata.name).sort()).toEqual([...services, "gateway-replicas"].sort());
      for (const { metadata, spec } of all) {
        const behind = pods.filter(({ labels }) => matches(labels, spec.selector));
        expect([metadata.name, namesOf(behind)]).toEqual([metadata.name, [metadata.name.replace("-replicas", "")]]);
        for (const { port, targetPort } of spec.ports) {
          expect(behind[0]?.container.ports).toContainEqual({ name: targetPort, containerPort: port });
        }
        expect(spec.clusterIP).toBe(metadata.name === "gateway" ? undefined : "None");
      }
    });

    test("has pods that outlive the grace that they give to their calls", () => {
      const patience = Number(fallbackOf(settings.graceSeconds, "gateway"));
      for (const { kind, spec, container } of pods) {
        if (kind === "Job") continue;
        const pause = container.lifecycle.preStop.sleep.seconds;
        expect(spec.terminationGracePeriodSeconds).toBeGreaterThan(pause + patience);
      }
    });

    test("lets those talk who have to, and nobody else", () => {
      const policies = resources.filter(({ kind }) => kind === "NetworkPolicy");
      const denied = policies.filter(({ spec }) => !("ingress" in spec) && !("egress" in spec));
      expect(denied.map(({ spec }) => spec)).toEqual([{ podSelector: {}, policyTypes: ["Ingress", "Egress"] }]);
      const incoming = policies.flatMap((policy) => arrowsOf(policy, "ingress"));
      const outgoing = policies.flatMap((policy) => arrowsOf(policy, "egress"));
      expect([...new Set([...incoming, ...outgoing])].sort()).toEqual(arrows);
      // An arrow between pods of ours has to be allowed at both of its ends.
      const inside = arrows.filter((arrow) => arrow.startsWith("gateway -> "));
      expect(incoming.filter((arrow) => inside.includes(arrow)).sort()).toEqual(inside);
      expect(outgoing.filter((arrow) => inside.includes(arrow)).sort()).toEqual(inside);
    });

    if (overlay === "production") {
      test("keeps two replicas of whatever is stateless, also while a node is drained", () => {
        const scaled = resources.filter(({ kind }) => kind === "HorizontalPodAutoscaler");
        const replicas = pods.flatMap(({ name, kind, workload }) => {
          if (kind !== "Deployment") return [];
          const scaler = scaled.find(({ spec }) => spec.scaleTargetRef.name === name);
          // Who is scaled must not be set back to a number by the next `apply`.
          if (scaler !== undefined && workload.spec.replicas !== undefined) return [[name, "two numbers"]];
          return [[name, scaler?.spec.minReplicas ?? workload.spec.replicas]];
        });
        expect(Object.fromEntries(replicas)).toEqual({
          "block-service": 2,
          gateway: 2,
          "manifest-service": 2,
          "object-service": 2,
        });
        const guarded = resources.filter(({ kind }) => kind === "PodDisruptionBudget");
        expect(guarded.flatMap(({ spec }) => selected(spec.selector)).sort()).toEqual(
          Object.keys(Object.fromEntries(replicas)).sort(),
        );
        expect(guarded.map(({ spec }) => spec.maxUnavailable)).toEqual(guarded.map(() => 1));
      });
    }

    function named(kind: string): string[] {
      return namesOf(resources.filter((resource) => resource.kind === kind).map(({ metadata }) => metadata));
    }

    function environmentOf(container: Pod["container"]): Record<string, string> {
      const references = (container.envFrom ?? []) as { configMapRef: { name: string } }[];
      const maps = references.map(({ configMapRef }) => {
        const map = resources.find(({ kind, metadata }) => kind === "ConfigMap" && metadata.name === configMapRef.name);
        if (map?.data === undefined) throw new Error(`there is no ConfigMap ${configMapRef.name}`);
        return map.data;
      });
      const variables = (container.env ?? []) as { name: string; value: string }[];
      return Object.assign({}, ...maps, Object.fromEntries(variables.map(({ name, value }) => [name, value])));
    }

    function selected(selector: { matchLabels?: Labels; matchExpressions?: { key: string; values: string[] }[] }) {
      const { matchLabels = {}, matchExpressions = [] } = selector;
      if (Object.keys(matchLabels).length + matchExpressions.length === 0) return ["every pod"];
      const found = pods.filter(
        ({ labels }) =>
          matches(labels, matchLabels) &&
          matchExpressions.every(({ key, values }) => values.includes(labels[key] ?? "")),
      );
      if (found.length === 0) throw new Error(`${JSON.stringify(selector)} selects no pod`);
      return namesOf(found);
    }

    /** What a policy allows in one direction, as `who -> whom:port`. */
    function arrowsOf({ spec }: Resource, direction: "ingress" | "egress"): string[] {
      const own = selected(spec.podSelector);
      return (spec[direction] ?? []).flatMap((rule: Rule) => {
        const others = (direction === "ingress" ? rule.from : rule.to)?.flatMap(peers) ?? ["anybody"];
        const ports = [...new Set(rule.ports.map(({ port, endPort }) => (endPort ? `${port}-${endPort}` : `${port}`)))];
        return own.flatMap((name) =>
          others.flatMap((other) =>
            ports.map((port) =>
              direction === "ingress" ? `${other} -> ${name}:${port}` : `${name} -> ${other}:${port}`,
            ),
          ),
        );
      });
    }

    function peers({ namespaceSelector, podSelector }: Peer): string[] {
      if (namespaceSelector === undefined) return selected(podSelector ?? {});
      const key = [namespaceSelector.matchLabels, podSelector?.matchLabels ?? {}].flatMap(Object.entries).join(" ");
      return [strangers[key] ?? key];
    }
  });
}

interface Rule {
  readonly from?: readonly Peer[];
  readonly to?: readonly Peer[];
  readonly ports: readonly { readonly port: number; readonly endPort?: number }[];
}

interface Peer {
  readonly namespaceSelector?: { readonly matchLabels: Labels };
  readonly podSelector?: { readonly matchLabels: Labels };
}

/** Those outside of the namespace, by the labels that select them. */
const strangers: Record<string, string> = {
  "kubernetes.io/metadata.name,monitoring": "Prometheus",
  "kubernetes.io/metadata.name,kube-system k8s-app,kube-dns": "DNS",
  "graviton-access,true": "a namespace with graviton-access",
  "kubernetes.io/metadata.name,storage app.kubernetes.io/name,s3": "S3",
  "kubernetes.io/metadata.name,storage app.kubernetes.io/name,postgres": "Postgres",
};

function podsOf(workload: Resource): Pod[] {
  if (!["Deployment", "StatefulSet", "Job", "DaemonSet", "CronJob"].includes(workload.kind)) return [];
  const { metadata, spec } = workload.spec.template;
  const { name } = workload.metadata;
  return [{ name, kind: workload.kind, labels: metadata.labels, workload, spec, container: spec.containers[0] }];
}

function matches(labels: Labels, wanted: Labels): boolean {
  return Object.entries(wanted).every(([label, value]) => labels[label] === value);
}

function namesOf(things: readonly { readonly name: string }[]): string[] {
  return things.map(({ name }) => name).sort();
}
