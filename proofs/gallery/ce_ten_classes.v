(** Written by `ufm certify --format rocq`; checked by proofs/theory.

    The plain model with cross-entropy: K = 10, N = 50, d = 12.
    [lower_bound] is about every point of every dimension, [upper_bound] about the
    point below, [certified_gap] says how far above the global minimum that is. *)
Require Import ZArith QArith.
From mathcomp Require Import all_ssreflect all_algebra.
From UFM Require Import CollapseIdentity Labels Exponential Softmax CrossEntropy.
From UFM Require Import CertificateNumbers CertificateChecker CertificatePoint.
From UFM Require Import CertificateMse CertificateSoftmax CertificateClaims.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Delimit Scope Z_scope with binZ.
Delimit Scope Q_scope with binQ.

Local Open Scope Z_scope.
Definition sizes : seq Z := [:: 5; 5; 5; 5; 5; 5; 5; 5; 5; 5].
Definition lambda_W : Q := (1 # 50)%binQ.
Definition lambda_H : Q := (1 # 100)%binQ.
Definition the_problem : problem :=
  onehot_problem 10 sizes lambda_W lambda_H FreeBiasN.
Definition the_dual : dual := Dual 0x40000000000000000000000 0x800000000000000000000000000000000000000000000
 [:: [:: -0x1236f7d874419d521100000; 0x2061b89d40749b3c900000; 0x2061b89d4074ab3c900000; 0x2061b89d4074a33c900000; 0x2061b89d4074a53c900000; 0x2061b89d4074a93c900000; 0x2061b89d4074a33c900000; 0x2061b89d4074a53c900000; 0x2061b89d4074ab3c900000; 0x2061b89d4074a93c900000];
  [:: 0x2061b89d4074b13c900000; -0x1236f7d874419c121100000; 0x2061b89d4074b73c900000; 0x2061b89d40749d3c900000; 0x2061b89d40749b3c900000; 0x2061b89d4074953c900000; 0x2061b89d4074a53c900000; 0x2061b89d4074b13c900000; 0x2061b89d40749d3c900000; 0x2061b89d4074973c900000];
  [:: 0x2061b89d4074d13c900000; 0x2061b89d4074a13c900000; -0x1236f7d874419f721100000; 0x2061b89d4074973c900000; 0x2061b89d4074a73c900000; 0x2061b89d4074b53c900000; 0x2061b89d4074a93c900000; 0x2061b89d40749b3c900000; 0x2061b89d40749f3c900000; 0x2061b89d4074ad3c900000];
  [:: 0x2061b89d40748d3c900000; 0x2061b89d4074bd3c900000; 0x2061b89d40749d3c900000; -0x1236f7d874419cb21100000; 0x2061b89d4074953c900000; 0x2061b89d40749d3c900000; 0x2061b89d4074ab3c900000; 0x2061b89d40749d3c900000; 0x2061b89d4074bd3c900000; 0x2061b89d4074ab3c900000];
  [:: 0x2061b89d40747d3c900000; 0x2061b89d40749d3c900000; 0x2061b89d4074af3c900000; 0x2061b89d4074a73c900000; -0x1236f7d874419b521100000; 0x2061b89d40749b3c900000; 0x2061b89d4074ab3c900000; 0x2061b89d4074a73c900000; 0x2061b89d4074b53c900000; 0x2061b89d4074a13c900000];
  [:: 0x2061b89d40749d3c900000; 0x2061b89d4074993c900000; 0x2061b89d4074a53c900000; 0x2061b89d4074a93c900000; 0x2061b89d40749d3c900000; -0x1236f7d874419bf21100000; 0x2061b89d40749b3c900000; 0x2061b89d4074ab3c900000; 0x2061b89d4074af3c900000; 0x2061b89d4074a73c900000];
  [:: 0x2061b89d4074a73c900000; 0x2061b89d4074ad3c900000; 0x2061b89d4074ab3c900000; 0x2061b89d4074993c900000; 0x2061b89d40748d3c900000; 0x2061b89d4074b33c900000; -0x1236f7d874419d321100000; 0x2061b89d4074a33c900000; 0x2061b89d4074ab3c900000; 0x2061b89d4074ab3c900000];
  [:: 0x2061b89d4074973c900000; 0x2061b89d4074a73c900000; 0x2061b89d4074ab3c900000; 0x2061b89d4074a73c900000; 0x2061b89d4074ad3c900000; 0x2061b89d4074993c900000; 0x2061b89d4074a93c900000; -0x1236f7d874419b921100000; 0x2061b89d4074a13c900000; 0x2061b89d4074973c900000];
  [:: 0x2061b89d4074cd3c900000; 0x2061b89d4074993c900000; 0x2061b89d4074a53c900000; 0x2061b89d4074b33c900000; 0x2061b89d4074b53c900000; 0x2061b89d40749b3c900000; 0x2061b89d4074ab3c900000; 0x2061b89d4074993c900000; -0x1236f7d874419f921100000; 0x2061b89d4074a53c900000];
  [:: 0x2061b89d40749f3c900000; 0x2061b89d4074a33c900000; 0x2061b89d4074a73c900000; 0x2061b89d4074af3c900000; 0x2061b89d4074ab3c900000; 0x2061b89d4074ab3c900000; 0x2061b89d40749b3c900000; 0x2061b89d40749b3c900000; 0x2061b89d4074a33c900000; -0x1236f7d874419c921100000]]
 [:: [:: 0xe4f92e2dff7e5dc33a6950; 0x0; 0x0; 0x0; 0x0; 0x0; 0x0; 0x0; 0x0; 0x0];
  [:: 0xe4f92e2dff5bc40ba7144d; 0x7ee0e3f39ecaac15a; 0x0; 0x0; 0x0; 0x0; 0x0; 0x0; 0x0; 0x0];
  [:: 0xe4f92e2dff5d1774ef15c1; 0x3ca5d56bc19fb74fe; 0x697f6f82039d40c43; 0x0; 0x0; 0x0; 0x0; 0x0; 0x0; 0x0];
  [:: 0xe4f92e2dff5afe0e3d1374; 0x40892f7ac27e9e66e; 0x235c050502342a8bb; 0x687440afa00efa030; 0x0; 0x0; 0x0; 0x0; 0x0; 0x0];
  [:: 0xe4f92e2dff5a9b0f881307; 0x3f89f7912b4bc6cc5; 0x26cf661e463b2695e; 0x1ab8edc2ed13eb3b3; 0x6695c54707acab65d; 0x0; 0x0; 0x0; 0x0; 0x0];
  [:: 0xe4f92e2dff5b999e7e141e; 0x3d3ef6f7e92426ea1; 0x2635be31f3a6019a6; 0x1ac49af4c6397cfea; 0x1397c30031e94d4fe; 0x6370120caa7f42376; 0x0; 0x0; 0x0; 0x0];
  [:: 0xe4f92e2dff5bb5e744143d; 0x3ed7506da7dbc2da4; 0x24b185e0f2fc86543; 0x19eeba1fbcc1e9a9a; 0x13264af03abdaba54; 0x10c030ea904963551; 0x6055ef160db665f95; 0x0; 0x0; 0x0];
  [:: 0xe4f92e2dff5b52e88f13d1; 0x3fd688573f0e6482c; 0x241ece0e2aaea54d7; 0x1a5bb743d4ab2093e; 0x153a366d551938010; 0x10165b7d308f5245c; 0xde8965fd07249a11; 0x6113fa65378a4e28f; 0x0; 0x0];
  [:: 0xe4f92e2dff5cfb2c2915a2; 0x3b27018d5ed394577; 0x2318dbe9451a34526; 0x1ca17f1e65ef9715e; 0x1594f9d59f79e8e79; 0xf40153877d9618d3; 0xd891954cd0e839fe; 0x9b2783fa0489813e; 0x5b24b082c68aa1fd0; 0x0];
  [:: 0xe4f92e2dff5ba7c2e1142e; 0x3dbe92ecb4bd8919d; 0x25719b677ae03c093; 0x1bcf2aae069d11b45; 0x146994b4b27ea79ee; 0x10c3f57f8b254633b; 0xd3deda59b86008b9; 0x9fec8552b855372c; 0x9f9ca9f58f0a0ea4; 0x5ecd1c5c2b49d2cbd]].
Definition the_point : point := Point 12 0x20000000000000
 [:: [:: 0x323fa9bf2e59b0; 0x1d02d6dede8c30; 0x1483918684abec; 0xfe3d8f19955dc; 0xcf9622e9b04c4; 0xaf714d7b7c464; 0x97f00fa2b0228; 0x85ff19fdd0ef4; 0x77d9a072402b8; 0x0; 0x0; 0x0];
  [:: -0x323fa9bf2e59b0; 0x1d02d6dede8c30; 0x1483918684abec; 0xfe3d8f19955dc; 0xcf9622e9b04c4; 0xaf714d7b7c464; 0x97f00fa2b0228; 0x85ff19fdd0ef4; 0x77d9a072402b8; 0x0; 0x0; 0x0];
  [:: 0x0; -0x3a05adbdbd1864; 0x1483918684abec; 0xfe3d8f19955dc; 0xcf9622e9b04c4; 0xaf714d7b7c464; 0x97f00fa2b0228; 0x85ff19fdd0ef4; 0x77d9a072402b8; 0x0; 0x0; 0x0];
  [:: 0x0; 0x0; -0x3d8ab4938e03c4; 0xfe3d8f19955dc; 0xcf9622e9b04c4; 0xaf714d7b7c464; 0x97f00fa2b0228; 0x85ff19fdd0ef4; 0x77d9a072402b8; 0x0; 0x0; 0x0];
  [:: 0x0; 0x0; 0x0; -0x3f8f63c6655778; 0xcf9622e9b04c4; 0xaf714d7b7c464; 0x97f00fa2b0228; 0x85ff19fdd0ef4; 0x77d9a072402b8; 0x0; 0x0; 0x0];
  [:: 0x0; 0x0; 0x0; 0x0; -0x40deeae90717cc; 0xaf714d7b7c464; 0x97f00fa2b0228; 0x85ff19fdd0ef4; 0x77d9a072402b8; 0x0; 0x0; 0x0];
  [:: 0x0; 0x0; 0x0; 0x0; 0x0; -0x41ca7d0e4e9a5c; 0x97f00fa2b0228; 0x85ff19fdd0ef4; 0x77d9a072402b8; 0x0; 0x0; 0x0];
  [:: 0x0; 0x0; 0x0; 0x0; 0x0; 0x0; -0x427906d72d0f20; 0x85ff19fdd0ef4; 0x77d9a072402b8; 0x0; 0x0; 0x0];
  [:: 0x0; 0x0; 0x0; 0x0; 0x0; 0x0; 0x0; -0x42ff8cfee87794; 0x77d9a072402b8; 0x0; 0x0; 0x0];
  [:: 0x0; 0x0; 0x0; 0x0; 0x0; 0x0; 0x0; 0x0; -0x436a6a40441878; 0x0; 0x0; 0x0]]
 [:: [:: 0x1fc7b1e332abbc; 0x12592547adbed8; 0xcf9622e9b04c2; 0xa0cbb8ca2debc; 0x834a09c351192; 0x6ef5aaaefe5ee; 0x6018076cabe4e; 0x54bf2fb331ca0; 0x4bccc3ba92600; 0x0; 0x0; 0x0];
  [:: -0x1fc7b1e332abbc; 0x12592547adbed8; 0xcf9622e9b04c2; 0xa0cbb8ca2debc; 0x834a09c351192; 0x6ef5aaaefe5ee; 0x6018076cabe4e; 0x54bf2fb331ca0; 0x4bccc3ba92600; 0x0; 0x0; 0x0];
  [:: 0x0; -0x24b24a8f5b7db0; 0xcf9622e9b04c2; 0xa0cbb8ca2debc; 0x834a09c351192; 0x6ef5aaaefe5ee; 0x6018076cabe4e; 0x54bf2fb331ca0; 0x4bccc3ba92600; 0x0; 0x0; 0x0];
  [:: 0x0; 0x0; -0x26ec268bd10e48; 0xa0cbb8ca2debc; 0x834a09c351192; 0x6ef5aaaefe5ee; 0x6018076cabe4e; 0x54bf2fb331ca0; 0x4bccc3ba92600; 0x0; 0x0; 0x0];
  [:: 0x0; 0x0; 0x0; -0x2832ee328b7af2; 0x834a09c351192; 0x6ef5aaaefe5ee; 0x6018076cabe4e; 0x54bf2fb331ca0; 0x4bccc3ba92600; 0x0; 0x0; 0x0];
  [:: 0x0; 0x0; 0x0; 0x0; -0x2907230d0957d8; 0x6ef5aaaefe5ee; 0x6018076cabe4e; 0x54bf2fb331ca0; 0x4bccc3ba92600; 0x0; 0x0; 0x0];
  [:: 0x0; 0x0; 0x0; 0x0; 0x0; -0x299c20019f639a; 0x6018076cabe4e; 0x54bf2fb331ca0; 0x4bccc3ba92600; 0x0; 0x0; 0x0];
  [:: 0x0; 0x0; 0x0; 0x0; 0x0; 0x0; -0x2a0a833f8b3422; 0x54bf2fb331ca0; 0x4bccc3ba92600; 0x0; 0x0; 0x0];
  [:: 0x0; 0x0; 0x0; 0x0; 0x0; 0x0; 0x0; -0x2a5f97d998e4fa; 0x4bccc3ba92600; 0x0; 0x0; 0x0];
  [:: 0x0; 0x0; 0x0; 0x0; 0x0; 0x0; 0x0; 0x0; -0x2aa32e18f255fe; 0x0; 0x0; 0x0]]
 [:: 0x0; 0x0; 0x0; 0x0; 0x0; 0x0; 0x0; 0x0; 0x0; 0x0].
Definition lower : Q := (0x138fbbcd3f44da6a6d6625f2299 # 0x100000000000000000000000000)%binQ.
Definition upper : Q := (0x9c7dde69fa27b165711744189af # 0x800000000000000000000000000)%binQ.
Definition gap : Q := (0xde1205e614874e7 # 0x800000000000000000000000000)%binQ.
Definition digits : precision := Precision 84 84.
Definition logs : seq (Z * Z * Z) := [:: (1, 0x2061b89d40747d3c900000, -0x374315331fff73975d446d);
  (1, 0x2061b89d40748d3c900000, -0x374315331fff6baf81b209);
  (1, 0x2061b89d4074953c900000, -0x374315331fff67bb93e8d7);
  (1, 0x2061b89d4074973c900000, -0x374315331fff66be98768a);
  (1, 0x2061b89d4074993c900000, -0x374315331fff65c19d043e);
  (1, 0x2061b89d40749b3c900000, -0x374315331fff64c4a191f1);
  (1, 0x2061b89d40749d3c900000, -0x374315331fff63c7a61fa4);
  (1, 0x2061b89d40749f3c900000, -0x374315331fff62caaaad58);
  (1, 0x2061b89d4074a13c900000, -0x374315331fff61cdaf3b0b);
  (1, 0x2061b89d4074a33c900000, -0x374315331fff60d0b3c8bf);
  (1, 0x2061b89d4074a53c900000, -0x374315331fff5fd3b85672);
  (1, 0x2061b89d4074a73c900000, -0x374315331fff5ed6bce426);
  (1, 0x2061b89d4074a93c900000, -0x374315331fff5dd9c171d9);
  (1, 0x2061b89d4074ab3c900000, -0x374315331fff5cdcc5ff8d);
  (1, 0x2061b89d4074ad3c900000, -0x374315331fff5bdfca8d40);
  (1, 0x2061b89d4074af3c900000, -0x374315331fff5ae2cf1af4);
  (1, 0x2061b89d4074b13c900000, -0x374315331fff59e5d3a8a7);
  (1, 0x2061b89d4074b33c900000, -0x374315331fff58e8d8365b);
  (1, 0x2061b89d4074b53c900000, -0x374315331fff57ebdcc40e);
  (1, 0x2061b89d4074b73c900000, -0x374315331fff56eee151c2);
  (1, 0x2061b89d4074bd3c900000, -0x374315331fff53f7eefadc);
  (1, 0x2061b89d4074cd3c900000, -0x374315331fff4c10136878);
  (1, 0x2061b89d4074d13c900000, -0x374315331fff4a161c83df);
  (1, 0x2dc908278bbe606def00000, -0x55bd5856819554ebab6bb);
  (1, 0x2dc908278bbe608def00000, -0x55bd585681955438bf5ae);
  (1, 0x2dc908278bbe62adef00000, -0x55bd585681954857123d6);
  (1, 0x2dc908278bbe62cdef00000, -0x55bd5856819547a4262c9);
  (1, 0x2dc908278bbe634def00000, -0x55bd5856819544d875e96);
  (1, 0x2dc908278bbe636def00000, -0x55bd58568195442589d8a);
  (1, 0x2dc908278bbe63edef00000, -0x55bd585681954159d9957);
  (1, 0x2dc908278bbe640def00000, -0x55bd5856819540a6ed84a);
  (1, 0x2dc908278bbe646def00000, -0x55bd585681953e8e29524);
  (1, 0x2dc908278bbe64adef00000, -0x55bd585681953d285130a)].
Definition levels : seq Z := [:: 0x32458ed4f401dd599b575a; 0x32458ed4f401dd599b575a; 0x32458ed4f401dd8ae73b9e; 0x32458ed4f401dd90194c83; 0x32458ed4f401ddd1cf24b6; 0x32458ed4f401dcf78960c1; 0x32458ed4f401dd97413d91; 0x32458ed4f401dddb3c1e04; 0x32458ed4f401dd1e888ef9; 0x32458ed4f401dd86e3ca67].

Local Close Scope Z_scope.
Import GRing.Theory Num.Theory.
Local Open Scope ring_scope.

Lemma lower_checked : check_softmax_lower the_problem (nseq 10 1%binZ) the_dual digits logs lower.
Proof. vm_cast_no_check (erefl true). Qed.
Lemma upper_checked : check_softmax_upper the_problem (nseq 10 1%binZ) digits the_point levels upper.
Proof. vm_cast_no_check (erefl true). Qed.
Lemma gap_checked : Qle_bool (upper - lower)%binQ gap.
Proof. vm_cast_no_check (erefl true). Qed.

Theorem lower_bound (R : rcfType) (E : exponential R) (N : nat) (lab : 'I_N -> 'I_10) :
  sizes_are lab sizes ->
  forall d (W : 'M[R]_(10, d)) (H : 'M[R]_(d, N)) (b : 'cV[R]_10),
  bias_allowed (@FreeBias R) b ->
  qr R lower <= ufm (softmax_loss E (fun=> 1) (onehot R lab)) (qr R lambda_W) (qr R lambda_H) (@FreeBias R) W H b.
Proof. exact: (ce_lower_claim E lower_checked). Qed.

Theorem upper_bound (R : rcfType) (E : exponential R) (N : nat) (lab : 'I_N -> 'I_10) :
  sizes_are lab sizes ->
  ufm (softmax_loss E (fun=> 1) (onehot R lab)) (qr R lambda_W) (qr R lambda_H) (@FreeBias R)
      (point_weights the_problem the_point R)
      (point_features the_problem the_point R *m onehot R lab)
      (point_bias the_problem the_point R)
  <= qr R upper.
Proof. by move=> h; have [_] := ce_upper_claim E upper_checked h. Qed.

Theorem certified_gap (R : rcfType) (E : exponential R) (N : nat) (lab : 'I_N -> 'I_10) :
  sizes_are lab sizes ->
  forall d (W : 'M[R]_(10, d)) (H : 'M[R]_(d, N)) (b : 'cV[R]_10),
  bias_allowed (@FreeBias R) b ->
  ufm (softmax_loss E (fun=> 1) (onehot R lab)) (qr R lambda_W) (qr R lambda_H) (@FreeBias R)
      (point_weights the_problem the_point R)
      (point_features the_problem the_point R *m onehot R lab)
      (point_bias the_problem the_point R)
  - ufm (softmax_loss E (fun=> 1) (onehot R lab)) (qr R lambda_W) (qr R lambda_H) (@FreeBias R) W H b <= qr R gap.
Proof.
move=> h d W H b ok.
exact: gap_sound gap_checked (upper_bound E h) (lower_bound E h W H ok).
Qed.
Print Assumptions certified_gap.

(** The same over the real numbers of Coq's standard library. *)
From mathcomp Require Import Rstruct.
From UFM Require Import Reals.
Definition certified_gap_R := @certified_gap R_rcfType R_exponential.
Definition lower_bound_R := @lower_bound R_rcfType R_exponential.
Print Assumptions certified_gap_R.
