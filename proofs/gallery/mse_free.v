(** Written by `ufm certify --format rocq`; checked by proofs/theory.

    The plain model with mean squared error: K = 3, N = 6, d = 2.
    [lower_bound] is about every point of every dimension, [upper_bound] about the
    point below, [certified_gap] says how far above the global minimum that is. *)
Require Import ZArith QArith.
From mathcomp Require Import all_ssreflect all_algebra.
From UFM Require Import CollapseIdentity Labels Mse.
From UFM Require Import CertificateNumbers CertificateChecker CertificatePoint.
From UFM Require Import CertificateMse CertificateSoftmax CertificateClaims.
Set Implicit Arguments. Unset Strict Implicit. Unset Printing Implicit Defensive.
Delimit Scope Z_scope with binZ.
Delimit Scope Q_scope with binQ.

Local Open Scope Z_scope.
Definition sizes : seq Z := [:: 2; 2; 2].
Definition lambda_W : Q := (1 # 50)%binQ.
Definition lambda_H : Q := (1 # 100)%binQ.
Definition the_problem : problem :=
  onehot_problem 3 sizes lambda_W lambda_H FreeBiasN.
Definition the_dual : dual := Dual 0x20000000000000000000000 0x75f6fd21ff2e48e8a71de69ad42c3c9eecbfb15b573
 [:: [:: -0x147ae147ae1470c2900000; 0xa3d70a3d70a38e1480000; 0xa3d70a3d70a37e1480000];
  [:: 0xa3d70a3d70a3861470000; -0x147ae147ae1472c28f0000; 0xa3d70a3d70a3a61480000];
  [:: 0xa3d70a3d70a3961470000; 0xa3d70a3d70a3761480000; -0x147ae147ae1470c28f0000]]
 [:: [:: 0x191530bd7c53877e6e7ae0; 0x0; 0x0];
  [:: 0x191530bd7c533e5a261ff0; 0x3a8298c9ef0ecb9c; 0x0];
  [:: 0x191530bd7c533e5a261ff0; 0x1fe1589280ef9c84; 0x33817b42de6d930e]].
Definition the_point : point := Point 2 0x40000000000000
 [:: [:: 0x2be04df388eca4; 0x1954f959b61156];
  [:: -0x2be04df388eca4; 0x1954f959b61156];
  [:: 0x0; -0x32a9f2b36c22ac]]
 [:: [:: 0x2be04df388eca4; 0x1954f959b61156];
  [:: -0x2be04df388eca4; 0x1954f959b61156];
  [:: 0x0; -0x32a9f2b36c22ac]]
 [:: 0x15555555555555; 0x15555555555555; 0x15555555555555].
Definition lower : Q := (0x9eecbfb15b56f794693404ea497a51eb573 # 0x1000000000000000000000000000000000000)%binQ.
Definition upper : Q := (0x9eecbfb15b573eab367a0f9097c6db2dd11e17d # 0x10000000000000000000000000000000000000000)%binQ.
Definition gap : Q := (0x8e2d9a8c154c9c991284f3dd # 0x20000000000000000000000000000000000000)%binQ.

Local Close Scope Z_scope.
Import GRing.Theory Num.Theory.
Local Open Scope ring_scope.

Lemma lower_checked : check_mse_lower the_problem the_dual lower.
Proof. vm_cast_no_check (erefl true). Qed.
Lemma upper_checked : check_mse_upper the_problem the_point upper.
Proof. vm_cast_no_check (erefl true). Qed.
Lemma gap_checked : Qle_bool (upper - lower)%binQ gap.
Proof. vm_cast_no_check (erefl true). Qed.

Theorem lower_bound (R : rcfType) (N : nat) (lab : 'I_N -> 'I_3) :
  sizes_are lab sizes ->
  forall d (W : 'M[R]_(3, d)) (H : 'M[R]_(d, N)) (b : 'cV[R]_3),
  bias_allowed (@FreeBias R) b ->
  qr R lower <= ufm (mse (onehot R lab)) (qr R lambda_W) (qr R lambda_H) (@FreeBias R) W H b.
Proof. exact: (mse_lower_claim lower_checked). Qed.

Theorem upper_bound (R : rcfType) (N : nat) (lab : 'I_N -> 'I_3) :
  sizes_are lab sizes ->
  ufm (mse (onehot R lab)) (qr R lambda_W) (qr R lambda_H) (@FreeBias R)
      (point_weights the_problem the_point R)
      (point_features the_problem the_point R *m onehot R lab)
      (point_bias the_problem the_point R)
  <= qr R upper.
Proof. by move=> h; have [_] := mse_upper_claim upper_checked R h. Qed.

Theorem certified_gap (R : rcfType) (N : nat) (lab : 'I_N -> 'I_3) :
  sizes_are lab sizes ->
  forall d (W : 'M[R]_(3, d)) (H : 'M[R]_(d, N)) (b : 'cV[R]_3),
  bias_allowed (@FreeBias R) b ->
  ufm (mse (onehot R lab)) (qr R lambda_W) (qr R lambda_H) (@FreeBias R)
      (point_weights the_problem the_point R)
      (point_features the_problem the_point R *m onehot R lab)
      (point_bias the_problem the_point R)
  - ufm (mse (onehot R lab)) (qr R lambda_W) (qr R lambda_H) (@FreeBias R) W H b <= qr R gap.
Proof.
move=> h d W H b ok.
exact: gap_sound gap_checked (upper_bound R h) (lower_bound h W H ok).
Qed.
Print Assumptions certified_gap.
